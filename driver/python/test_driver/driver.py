"""A run: its machines and networks, and the functions of scripts."""

import os
import signal
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Optional, Tuple, Union, overload

import _vmwright
from test_driver import symbols, threads
from test_driver.assertions import compile_script
from test_driver.config import DriverConfiguration, Settings  # noqa: F401, for scripts
from test_driver.debug import Debug, DebugAbstract, DebugNop
from test_driver.duration import Duration, as_seconds, one_of
from test_driver.errors import MachineError, RequestedAssertionFailed
from test_driver.failure import error_id, is_infrastructure
from test_driver.logger import rootlog
from test_driver.machine import Machine, NspawnMachine
from test_driver.polling_condition import Poll, PollingCondition
from test_driver.race_timer import RaceTimer
from test_driver.start_command import NixStartScript, StartCommand
from test_driver.symbols import AssertionTester, pythonize_name  # noqa: F401, for scripts
from test_driver.vlan import VLan


def get_tmp_dir() -> Path:
    """The directory for state that is kept from run to run."""
    tmp_dir = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    tmp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tmp_dir


class _ConditionCheck:
    """The callback of a machine that checks the polling conditions. It is false while there
    are none, so that the machine need not call it."""

    def __init__(self, driver: "Driver"):
        self._driver = driver

    def __bool__(self) -> bool:
        return bool(self._driver.polling_conditions)

    def __call__(self) -> None:
        self._driver.check_polling_conditions()


class Driver:
    """The machines and networks of a run: `driver` in scripts."""

    vlans: List[VLan]
    machines: List[Machine]
    machines_qemu: List[Machine]
    machines_nspawn: List[NspawnMachine]
    polling_conditions: List[PollingCondition]

    def __init__(self, settings: Settings):
        self.config = settings.config
        self.interactive = settings.interactive
        self.keep_machine_state = settings.keep_machine_state
        # The global variables of the script, once it has run.
        self.script_names: Dict[str, Any] = {}
        self.logger = rootlog
        # An absolute path, as a script may change the working directory.
        self.out_dir = Path(settings.out_dir).resolve()
        self.debug: DebugAbstract = DebugNop()
        if settings.debug_hook_attach is not None:
            self.debug = Debug(rootlog, settings.debug_hook_attach)
        limit = self.config.global_timeout
        self.race_timer = RaceTimer(limit, settings.timed_out_status)
        # The SSH backdoor's daemon, which is not supported.
        self.vhost_vsock = None
        self.vlans = []
        self.machines = self.machines_qemu = []
        self.machines_nspawn = []
        self.polling_conditions = []
        self._checks_conditions = True
        self._templates = settings.templates
        self._vsocks = settings.dump_vsocks
        # The machines of `create_machine`.
        self._created: List[Machine] = []
        self._own_tmp_dir: Any = None

    def __enter__(self) -> "Driver":
        """Starts the networks and creates the machines."""
        try:
            self._create_tmp_dir()
            self._create_vlans()
            self._create_machines()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _create_tmp_dir(self) -> None:
        self.tmp_dir = get_tmp_dir()
        # The state is in a directory of this run, unless it is kept, or the working
        # directory is for state: scripts then use paths such as
        # `vm-state-machine/machine.qcow2`.
        if not self.keep_machine_state and not self.tmp_dir.samefile(Path.cwd()):
            self._own_tmp_dir = _vmwright.TmpDir()
            self.tmp_dir = self._own_tmp_dir.path

    def _create_vlans(self) -> None:
        if self.config.vlans:
            with rootlog.nested("start all VLans"):
                for nr in sorted(set(self.config.vlans)):
                    self.vlans.append(VLan(nr, self.tmp_dir))

    def _create_machines(self) -> None:
        # Start scripts number the machines by it and pass the names to the guests.
        os.environ.setdefault("VM_NODES", " ".join(sorted(self.config.vms)))
        for name, vm in self.config.vms.items():
            self.machines.append(
                Machine(
                    out_dir=self.out_dir,
                    tmp_dir=self.tmp_dir,
                    start_command=NixStartScript(str(vm.start_script)),
                    name=name,
                    keep_vm_state=self.keep_machine_state,
                    callbacks=[_ConditionCheck(self)],
                    templates=self._templates,
                )
            )

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

    @property
    def tests(self) -> str:
        """The text of the script."""
        script = self.config.test_script
        return script.read_text(encoding="utf-8") if script else ""

    def take_last_screenshots(self) -> None:
        """Takes a screenshot of each machine that runs, for the report of a failure."""
        # A condition could hang.
        self._checks_conditions = False
        for machine in self.machines + self._created:
            machine._vm.take_last_screenshot()

    def subtest(self, name: str) -> ContextManager[None]:
        """Groups steps under a name."""

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
        """All names that are defined in a script."""
        return symbols.test_symbols(self)

    def test_script(self) -> None:
        """Runs the script."""
        with rootlog.script():
            path = self.config.test_script
            if path is None:
                raise FileNotFoundError("this run has no test script")
            # It is read again, as a user at the prompt may have changed it.
            code = compile_script(path)
            own = {"__name__": "__main__", "__file__": str(path)}
            self.script_names = {**own, **self.test_symbols()}
            try:
                exec(code, self.script_names)
            except MachineError:
                raise
            except Exception as error:
                self.debug.after_failure(error)
                raise

    def run_tests(self) -> None:
        """Runs the script within the time limit of the run, then syncs the disks of the
        guests."""
        self.race_timer.start()
        try:
            self.test_script()
            # They might use the shells without end.
            with threads.cancelled():
                for machine in self.machines:
                    if machine.is_up():
                        self._sync(machine)
        finally:
            self.race_timer.cancel()

    def terminate_test(self) -> None:
        """Ends the run as the NixOS test driver does when its time is up."""
        with rootlog.nested("timeout reached; test terminating..."):
            for machine in self.machines:
                machine.release()
            os.kill(os.getpid(), signal.SIGTERM)

    @staticmethod
    def _sync(machine: Machine) -> None:
        # A script may leave a guest that can't sync, and still pass. `true` has a shorter
        # time limit, for a guest that no longer responds.
        try:
            machine.execute("true", timeout=60)
            status, _ = machine.execute("sync")
            reason = f"sync failed with exit code {status}" if status else None
        except (MachineError, RequestedAssertionFailed) as error:
            reason = str(error)
        if reason is not None:
            rootlog.warning(f"{machine.name}: the disk may lack recent writes: {reason}")

    def start_all(self) -> None:
        """Starts all machines, at the same time. Raises a MachineError that has the reasons
        of all that can't start."""
        with rootlog.nested("start all VMs") as step:
            starts = [partial(step.run, machine.start) for machine in self.machines]
            failures = threads.run_all(starts)
            if len(failures) == 1:
                raise failures[0]
            if failures:
                raise _all_of("Failed to start the following machines:", failures)

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
        """Creates a machine from a start script or another shell command that starts QEMU;
        a dictionary is deprecated. It replaces an earlier machine of this name that does not
        run. `keep_machine_state` is the newer name of `keep_vm_state`."""
        keep_vm_state = keep_vm_state or keep_machine_state
        command: StartCommand
        if isinstance(start_command, dict):
            if name is not None or keep_vm_state:
                raise TypeError("a dictionary must be create_machine's only argument")
            rootlog.warning("create_machine with a dictionary is deprecated")
            command, name = _from_dictionary(start_command)
            keep_vm_state = start_command.get("keep_vm_state", False)
        else:
            command = NixStartScript(start_command)
            name = name or command.machine_name
        tmp_dir = get_tmp_dir() if keep_vm_state else self.tmp_dir
        self._remove_stopped(name, tmp_dir)
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

    def _remove_stopped(self, name: str, tmp_dir: Path) -> None:
        """Removes the state directories of machines of this name that do not run."""
        for machine in self.machines + self._created:
            is_same = (machine.name, machine.tmp_dir) == (name, tmp_dir)
            if is_same and machine._vm.pid is None:
                machine.release()
                machine._vm.cleanup_statedir()

    def dump_machine_ssh(self) -> None:
        """Prints how to reach the machines by SSH, if their backdoor is enabled."""
        if self.config.enable_ssh_backdoor:
            rootlog.warning("the configuration's SSH backdoor is not supported")
        if not self._vsocks:
            return
        print("SSH backdoor enabled, the machines can be accessed like this:")
        print(
            "Note: this requires systemd-ssh-proxy(1) to be enabled (default on NixOS 25.05"
            " and newer)."
        )
        width = max((len(machine.name) for machine in self.machines), default=0)
        for cid, machine in enumerate(self.machines, start=self._vsocks + 1):
            name = f"{machine.name}:".ljust(width + 2)
            print(f"    {name} ssh -o User=root vsock/{cid}", flush=True)

    def serial_stdout_on(self) -> None:
        """Shows the lines of all consoles in the log."""
        rootlog.print_serial_logs(True)

    def serial_stdout_off(self) -> None:
        """Hides the lines of all consoles from the log."""
        rootlog.print_serial_logs(False)

    def check_polling_conditions(self) -> None:
        """Fails if a polling condition does not hold."""
        if not self._checks_conditions:
            return
        for condition in list(self.polling_conditions):
            condition.maybe_raise()

    @overload
    def polling_condition(
        self,
        fun_: Callable[[], Any],
        *,
        seconds_interval: Optional[Duration] = None,
        interval: Optional[Duration] = None,
        description: Optional[str] = None,
    ) -> Poll: ...

    @overload
    def polling_condition(
        self,
        fun_: None = None,
        *,
        seconds_interval: Optional[Duration] = None,
        interval: Optional[Duration] = None,
        description: Optional[str] = None,
    ) -> Callable[[Callable[[], Any]], Poll]: ...

    def polling_condition(
        self,
        fun_: Optional[Callable[[], Any]] = None,
        *,
        seconds_interval: Optional[Duration] = None,
        interval: Optional[Duration] = None,
        description: Optional[str] = None,
    ) -> Any:
        """Makes a `Poll` of a function. Also a decorator. `seconds_interval` is an older name
        of `interval`, which is 2 seconds by default."""
        names = "interval seconds_interval"
        interval = one_of("polling_condition", names, interval, seconds_interval)
        seconds = as_seconds(2 if interval is None else interval)

        def poll(fun: Callable[[], Any]) -> Poll:
            return Poll(self, PollingCondition(fun, seconds, description))

        return poll if fun_ is None else poll(fun_)


def _all_of(summary: str, failures: List[Exception]) -> MachineError:
    """One error for several."""
    error = MachineError("\n".join([summary, *map(str, failures)]))
    error.infrastructure = any(map(is_infrastructure, failures))
    # In the reports, the first is the reason.
    vars(error)["_vmwright_error_id"] = error_id(failures[0])
    return error


def _from_dictionary(args: Dict[str, Any]) -> Tuple[StartCommand, str]:
    """The start command and name of a machine that a dictionary describes."""
    command: StartCommand
    if args.get("startCommand"):
        command = NixStartScript(args["startCommand"])
        return command, args.get("name") or command.machine_name
    return Machine.create_startcommand(args), args.get("name") or "machine"
