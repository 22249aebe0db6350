"""A run: machines, networks, and the names that scripts see."""

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Optional, Union
from unittest import TestCase

import _vmwright
from test_driver.errors import MachineError, RequestedAssertionFailed
from test_driver.logger import rootlog
from test_driver.machine import Machine, retry
from test_driver.polling_condition import PollingCondition
from test_driver.start_command import NixStartScript
from test_driver.vlan import VLan


class Debug:
    """What newer scripts stop at to be looked at, where somebody has asked for it."""

    def breakpoint(self, host: str = "127.0.0.1", port: int = 4444) -> None:
        """Goes on: nobody has."""


class AssertionTester(TestCase):
    """The assertions of unittest: `t` in scripts."""

    failureException = RequestedAssertionFailed
    maxDiff = None


def get_tmp_dir() -> Path:
    """Where state that is kept from run to run is."""
    tmp_dir = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    tmp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tmp_dir


def pythonize_name(name: str) -> str:
    """A machine's name as one of Python's."""
    return re.sub(r"^[^A-Za-z_]|[^A-Za-z0-9_]", "_", name)


class _ConditionCheck:
    """A machine's callback, which checks the polling conditions. It is false while there
    are none, so that nothing needs to call it."""

    def __init__(self, driver: "Driver"):
        self._driver = driver

    def __bool__(self) -> bool:
        return bool(self._driver.polling_conditions)

    def __call__(self) -> None:
        self._driver.check_polling_conditions()


class Driver:
    """The machines of a run, from their start to their end: `driver` in scripts."""

    tests: str
    vlans: List[VLan]
    machines: List[Machine]
    machines_qemu: List[Machine]
    polling_conditions: List[PollingCondition]

    def __init__(
        self,
        start_scripts: List[str],
        vlans: List[int],
        tests: str,
        out_dir: Path,
        keep_vm_state: bool = False,
        templates: Optional[Path] = None,
    ):
        self.tests = tests
        # The script's, once it has run.
        self.script_names: Dict[str, Any] = {}
        self.logger = rootlog
        # A script may change its directory.
        self.out_dir = Path(out_dir).resolve()
        self.vlans = []
        self.machines = self.machines_qemu = []
        self.polling_conditions = []
        # Nothing has to hold any more.
        self._is_over = False
        self._keep_vm_state = keep_vm_state
        self._templates = templates
        self._created: List[Machine] = []
        tmp_dir = get_tmp_dir()
        # What is not kept is nobody's business but this run's; except where scripts know
        # it by names such as `vm-state-machine/machine.qcow2`.
        in_sight = keep_vm_state or tmp_dir.samefile(Path.cwd())
        self._own_tmp_dir = None if in_sight else _vmwright.TmpDir()
        self.tmp_dir = self._own_tmp_dir.path if self._own_tmp_dir else tmp_dir

        commands = [NixStartScript(script) for script in start_scripts]
        try:
            self._begin(commands, vlans)
        except BaseException:
            self.__exit__()
            raise

    def _begin(self, commands: List[NixStartScript], vlans: List[int]) -> None:
        if vlans:
            with rootlog.nested("start all VLans"):
                for nr in sorted(set(vlans)):
                    self.vlans.append(VLan(nr, self.tmp_dir))
        # By this, start scripts know who is who on the networks.
        names = " ".join(sorted(command.machine_name for command in commands))
        os.environ.setdefault("VM_NODES", names)
        for command in commands:
            self.machines.append(
                Machine(
                    out_dir=self.out_dir,
                    tmp_dir=self.tmp_dir,
                    start_command=command,
                    name=command.machine_name,
                    keep_vm_state=self._keep_vm_state,
                    callbacks=[_ConditionCheck(self)],
                    templates=self._templates,
                )
            )

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: Any) -> None:
        with rootlog.nested("cleanup"):
            for machine in self.machines + self._created:
                machine.release()
            for vlan in self.vlans:
                vlan.stop()
            for machine in self.machines + self._created:
                if not machine.keep_vm_state:
                    machine._vm.cleanup_statedir()
            if self._own_tmp_dir is not None:
                self._own_tmp_dir.cleanup()

    def take_last_screenshots(self) -> None:
        """Takes a screenshot of each machine that runs, for the report of a failure."""
        # Conditions must not delay it: they may hang.
        self._is_over = True
        for machine in self.machines + self._created:
            machine._vm.take_last_screenshot()

    def subtest(self, name: str) -> ContextManager[None]:
        """Groups what is in it under a name."""

        @contextmanager
        def group() -> Iterator[None]:
            with rootlog.subtest(name):
                try:
                    yield
                except Exception as error:
                    rootlog.log_test_error(f'Test "{name}" failed with error: "{error}"')
                    raise

        return group()

    def test_symbols(self) -> Dict[str, Any]:
        """All names that a script has."""
        symbols: Dict[str, Any] = dict(
            start_all=self.start_all,
            join_all=self.join_all,
            run_tests=self.run_tests,
            test_script=self.test_script,
            machines=self.machines,
            machines_qemu=self.machines,
            vlans=self.vlans,
            driver=self,
            log=rootlog,
            os=os,
            create_machine=self.create_machine,
            subtest=self.subtest,
            retry=retry,
            serial_stdout_on=self.serial_stdout_on,
            serial_stdout_off=self.serial_stdout_off,
            polling_condition=self.polling_condition,
            Machine=Machine,
            BaseMachine=Machine,
            QemuMachine=Machine,
            debug=Debug(),
            t=AssertionTester(),
        )
        symbols.update({f"vlan{vlan.nr}": vlan for vlan in self.vlans})
        if len(self.machines) == 1:
            symbols["machine"] = self.machines[0]
        symbols.update({pythonize_name(vm.name): vm for vm in self.machines})
        return symbols

    def test_script(self) -> None:
        """Runs the script."""
        with rootlog.script():
            path = Path(self.tests)
            code = compile(path.read_bytes(), str(path), "exec")
            own = {"__name__": "__main__", "__file__": str(path)}
            self.script_names = {**own, **self.test_symbols()}
            exec(code, self.script_names)

    def run_tests(self) -> None:
        """Runs the script, and has the guests write what they have to their disks."""
        self.test_script()
        for machine in self.machines:
            if machine.is_up():
                self._sync(machine)

    @staticmethod
    def _sync(machine: Machine) -> None:
        # A script may leave a guest that can't any more, and pass all the same. One that
        # answers nothing is not waited for as a slow disk is.
        try:
            machine.execute("true", timeout=60)
            status, _ = machine.execute("sync")
            why = f"sync has failed with exit code {status}" if status else None
        except (MachineError, RequestedAssertionFailed) as error:
            why = str(error)
        if why is not None:
            rootlog.warning(f"{machine.name}: what it has may not be on its disk: {why}")

    def start_all(self) -> None:
        """Starts all machines."""
        with rootlog.nested("start all VMs"):
            for machine in self.machines:
                machine.start()

    def join_all(self) -> None:
        """Waits until all machines are off."""
        with rootlog.nested("wait for all VMs to finish"):
            for machine in self.machines:
                machine.wait_for_shutdown()

    def create_machine(
        self,
        start_command: Union[str, Dict[str, Any]],
        *,
        name: Optional[str] = None,
        keep_vm_state: bool = False,
        keep_machine_state: bool = False,
    ) -> Machine:
        """One more machine, by a start script, or another line of the shell's that starts
        QEMU; or, as of old, by a dictionary. It takes the place of an earlier one of its
        name that does not run. `keep_machine_state` is a newer name."""
        keep_vm_state = keep_vm_state or keep_machine_state
        if isinstance(start_command, dict):
            args = start_command
            if name is not None or keep_vm_state:
                raise TypeError("a dictionary is create_machine's only argument")
            rootlog.warning("create_machine with a dictionary is a thing of the past")
            if args.get("startCommand"):
                command = NixStartScript(args["startCommand"])
                default_name = command.machine_name
            else:
                command = Machine.create_startcommand(args)
                default_name = "machine"
            name = args.get("name", default_name)
            keep_vm_state = args.get("keep_vm_state", False)
        else:
            command = NixStartScript(start_command)
        name = name or command.machine_name
        tmp_dir = get_tmp_dir() if keep_vm_state else self.tmp_dir
        for earlier in self.machines + self._created:
            is_in_the_way = (earlier.name, earlier.tmp_dir) == (name, tmp_dir)
            if is_in_the_way and earlier._vm.pid is None:
                earlier.release()
                earlier._vm.cleanup_statedir()
        machine = Machine(
            out_dir=self.out_dir,
            tmp_dir=tmp_dir,
            start_command=command,
            name=name,
            keep_vm_state=keep_vm_state,
            callbacks=[_ConditionCheck(self)],
            templates=None if keep_vm_state else self._templates,
        )
        self._created.append(machine)
        return machine

    def serial_stdout_on(self) -> None:
        """Says the lines of all consoles again."""
        rootlog.print_serial_logs(True)

    def serial_stdout_off(self) -> None:
        """Says no more lines of consoles."""
        rootlog.print_serial_logs(False)

    def check_polling_conditions(self) -> None:
        """Fails if a condition does not hold that must."""
        if self._is_over:
            return
        for condition in list(self.polling_conditions):
            condition.maybe_raise()

    def polling_condition(
        self,
        fun_: Optional[Callable] = None,
        *,
        seconds_interval: float = 2.0,
        description: Optional[str] = None,
    ) -> Any:
        """Makes a condition of a function. `with` it, it must hold: it is checked before
        commands. `wait()` waits until it does."""
        driver = self

        class Poll:
            def __init__(self, fun: Callable):
                self.condition = PollingCondition(fun, seconds_interval, description)

            def __enter__(self) -> None:
                driver.polling_conditions.append(self.condition)
                # Other threads may already wait for something.
                for machine in driver.machines + driver._created:
                    machine._vm.update_callbacks()

            def __exit__(self, *_: Any) -> None:
                driver.polling_conditions.remove(self.condition)

            def wait(self, timeout: int = 900) -> None:
                what = self.condition.description
                with rootlog.nested(f"waiting for {what}"):
                    retry(lambda _: self.condition.check(force=True), timeout)

        return Poll if fun_ is None else Poll(fun_)
