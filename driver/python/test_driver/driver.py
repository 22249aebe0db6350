"""A run: its script, its machines and networks."""

import os
import signal
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, ContextManager, Dict, Iterator, List, Optional

import _vmwright
from test_driver import symbols, threads
from test_driver.assertions import compile_script
from test_driver.config import DriverConfiguration as DriverConfiguration
from test_driver.config import load_driver_configuration as load_driver_configuration
from test_driver.debug import DebugAbstract, DebugNop
from test_driver.errors import MachineError, RequestedAssertionFailed
from test_driver.logger import Logger, rootlog
from test_driver.machine import BaseMachine
from test_driver.machines import Machines
from test_driver.race_timer import RaceTimer
from test_driver.symbols import AssertionTester as AssertionTester
from test_driver.symbols import pythonize_name as pythonize_name
from test_driver.tmp_dir import get_tmp_dir as get_tmp_dir
from test_driver.vlan import VLan
from test_driver.vsock import VHostDeviceVsock as VHostDeviceVsock
from test_driver.vsock import VsockPair as VsockPair


class Driver(Machines):
    """The machines and networks of a run: `driver` in scripts. In `with`, they exist."""

    vlans: List[VLan]

    def __init__(
        self,
        config: DriverConfiguration,
        out_dir: Path,
        logger: Logger = rootlog,
        keep_machine_state: bool = False,
        debug: DebugAbstract = DebugNop(),
        interactive: bool = False,
        *,
        timed_out_status: int = _vmwright.TIMED_OUT,
        templates: Optional[Path] = None,
        dump_vsocks: int = 0,
    ):
        self.config = config
        self.interactive = interactive
        self.keep_machine_state = keep_machine_state
        # The global variables of the script, once it has run.
        self.script_names: Dict[str, Any] = {}
        self.logger = logger
        # An absolute path, as a script may change the working directory.
        self.out_dir = Path(out_dir).resolve()
        self.debug = debug
        self.race_timer = RaceTimer(config.global_timeout, timed_out_status)
        self.vlans = []
        self.machines = []
        self.machines_qemu = []
        self.machines_nspawn = []
        self.polling_conditions = []
        self._checks_conditions = True
        self._templates = templates
        self._vsocks = dump_vsocks
        self._created = []
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
            with self.logger.nested("start all VLans"):
                for nr in sorted(set(self.config.vlans)):
                    self.vlans.append(VLan(nr, self.tmp_dir, self.logger))

    def __exit__(self, *_: Any) -> None:
        with self.logger.nested("cleanup"):
            for machine in self.all_machines():
                machine.release()
            for vlan in self.vlans:
                vlan.stop()
            for machine in self.all_machines():
                if not machine.keep_vm_state:
                    machine._vm.cleanup_statedir()
            if self.vhost_vsock is not None:
                self.vhost_vsock.stop()
            if self._own_tmp_dir is not None:
                self._own_tmp_dir.cleanup()
            self._restore_nodes()

    @property
    def tests(self) -> str:
        """The text of the script."""
        script = self.config.test_script
        return script.read_text(encoding="utf-8") if script else ""

    @property
    def global_timeout(self) -> Optional[timedelta]:
        """The time limit of the script."""
        return self.config.global_timeout

    def take_last_screenshots(self) -> None:
        """Takes a screenshot of each machine that runs, for the report of a failure."""
        # A condition could hang.
        self._checks_conditions = False
        for machine in self.all_machines():
            # A container has no screen, and none is taken.
            machine._vm.take_last_screenshot()

    def subtest(self, name: str) -> ContextManager[None]:
        """Groups steps under a name."""

        @contextmanager
        def group() -> Iterator[None]:
            with self.logger.subtest(name):
                try:
                    yield
                except Exception as error:
                    message = f'Test "{name}" failed with error: "{error}"'
                    self.logger.log_test_error(message)
                    raise

        return group()

    def test_symbols(self) -> Dict[str, Any]:
        """All names that are defined in a script."""
        return symbols.test_symbols(self)

    def test_script(self) -> None:
        """Runs the script."""
        with self.logger.script():
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
                for machine in self.machines_qemu:
                    if machine.is_up():
                        self._sync(machine)
        finally:
            self.race_timer.cancel()

    def terminate_test(self) -> None:
        """Ends the run as the NixOS test driver does when its time is up."""
        with self.logger.nested("timeout reached; test terminating..."):
            for machine in self.machines:
                machine.release()
            os.kill(os.getpid(), signal.SIGTERM)

    def _sync(self, machine: BaseMachine) -> None:
        # A script may leave a guest that can't sync, and still pass. `true` has a shorter
        # time limit, for a guest that no longer responds.
        try:
            machine.execute("true", timeout=60)
            status, _ = machine.execute("sync")
            reason = f"sync failed with exit code {status}" if status else None
        except (MachineError, RequestedAssertionFailed) as error:
            reason = str(error)
        if reason is not None:
            self.logger.warning(f"{machine.name}: the disk may lack recent writes: {reason}")

    def serial_stdout_on(self) -> None:
        """Shows the lines of all consoles in the log."""
        self.logger.print_serial_logs(True)

    def serial_stdout_off(self) -> None:
        """Hides the lines of all consoles from the log."""
        self.logger.print_serial_logs(False)
