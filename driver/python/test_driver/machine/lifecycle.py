"""Starting and stopping of a machine."""

from pathlib import Path
from typing import Any, Callable, Dict, Optional, TypeVar

import _vmwright
from test_driver.duration import Duration
from test_driver.logger import rootlog
from test_driver.qemu import Process

T = TypeVar("T")


class Lifecycle:
    """The state of a machine, and the operations that start and stop it."""

    name: str
    _vm: _vmwright.Machine
    _state_dir: Path
    # The QEMU that was started last.
    _process: Optional[Process]
    # Values of properties that a script assigned since that start.
    _overrides: Dict[str, Any]

    @property
    def state_dir(self) -> Path:
        """The directory in which the start command runs, and has its disk. A script may
        assign another, for the next start; it is created, and not removed at the end."""
        return self._state_dir

    @state_dir.setter
    def state_dir(self, directory: Path) -> None:
        directory = Path(directory).absolute()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._vm.set_start_dir(directory)
        self._state_dir = directory

    @property
    def pid(self) -> Optional[int]:
        """The process ID of QEMU, if it runs."""
        return self._property("pid", self._vm.pid)

    @pid.setter
    def pid(self, pid: Optional[int]) -> None:
        self._override("pid", pid)

    @property
    def booted(self) -> bool:
        """Whether it was started, and neither shut down nor released since. A script may
        set it to False to abandon this QEMU: `start` then starts another, and the driver
        does not sync the guest's disks at the end."""
        return self._property("booted", self._vm.booted)

    @booted.setter
    def booted(self, booted: bool) -> None:
        self._override("booted", booted)

    @property
    def connected(self) -> bool:
        """Whether its root shell is connected. A script may set it to False after it
        rebooted the guest: the next command then waits for the new shell."""
        return self._vm.connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        if not connected and self.connected:
            self._vm.disconnect()

    @property
    def process(self) -> Optional[Process]:
        """The QEMU that was started last, if any."""
        return self._property("process", self._last_process())

    @process.setter
    def process(self, process: Optional[Process]) -> None:
        self._override("process", process)

    def _property(self, name: str, value: T) -> T:
        """Returns `value`, or the override of the property."""
        # Drops the overrides if QEMU was started again.
        self._last_process()
        override: T = self._overrides.get(name, value)
        return override

    def _override(self, name: str, value: Any) -> None:
        # A command may have started QEMU, which drops earlier overrides.
        self._last_process()
        self._overrides[name] = value

    def _last_process(self) -> Optional[Process]:
        last, pid = self._process, self._vm.pid
        is_another = last is None or (pid is not None and pid != last.pid)
        if self._vm.booted and is_another:
            self._process = Process(self)
            self._overrides.clear()
        return self._process

    def is_up(self) -> bool:
        return self.booted and self.connected

    def start(self, allow_reboot: bool = False) -> None:
        """Starts it; does not wait for the guest to boot."""
        if self._property("booted", True) is False:
            self.release()
        self._overrides.clear()
        self._vm.start(allow_reboot)
        self._last_process()

    def connect(self) -> None:
        """Waits until the guest has booted; starts it if it is off."""
        if self.connected:
            return
        if not self.booted:
            self.start()
        self._vm.connect()

    def shutdown(self) -> None:
        """Powers the guest off, and waits for QEMU to exit."""
        self._stop(self._vm.shutdown)

    def crash(self) -> None:
        """Ends QEMU at once, like a power failure."""
        self._stop(self._vm.crash)

    def reboot(self) -> None:
        """Presses Ctrl+Alt+Delete. If the machine was started with `allow_reboot=True`, the
        next command waits for the guest to boot again."""
        self._vm.reboot()

    def wait_for_shutdown(self, timeout: Optional[Duration] = None) -> None:
        """Waits for QEMU to exit; subprocess.TimeoutExpired after `timeout`."""
        process = self._last_process()
        if process is not None and self.booted:
            process.expect_end(timeout)

    def switch_root(self) -> None:
        """Makes systemd leave the initrd, and waits for the root shell of the real root."""
        self._vm.switch_root()

    def release(self) -> None:
        """Kills QEMU."""
        process = self._last_process()
        if process is not None:
            process.poll()
        self._vm.release()
        if process is not None:
            process.was_released()

    def _stop(self, operation: Callable[[], Any]) -> None:
        """Stops QEMU by `operation`, unless it has stopped, and records its exit status."""
        if not self.booted:
            return
        process = self._last_process()
        operation()
        if process is not None:
            process.poll()

    def cleanup_statedir(self) -> None:
        """Kills QEMU and removes the state directory. The machine can't be used again."""
        rootlog.log(f"deleting VM state directory {self.state_dir}")
        rootlog.log("if you want to keep the VM state, pass --keep-vm-state")
        self._vm.cleanup_statedir()
