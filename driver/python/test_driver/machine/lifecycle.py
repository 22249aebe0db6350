"""From the start of a machine to its end."""

from pathlib import Path
from typing import Any, Callable, Dict, Optional

from test_driver.logger import rootlog
from test_driver.qemu import Process


class Lifecycle:
    """Whether a machine runs, and what starts and ends it."""

    name: str
    state_dir: Path
    _vm: Any
    # QEMU as it was last started.
    _process: Optional[Process]
    # What a script has said of this start, against what it finds otherwise.
    _said: Dict[str, Any]

    @property
    def pid(self) -> Optional[int]:
        """The process number of QEMU, if it runs."""
        return self._now("pid", self._vm.pid)

    @pid.setter
    def pid(self, pid: Optional[int]) -> None:
        self._said["pid"] = pid

    @property
    def booted(self) -> bool:
        """Whether it was started, and neither shut down nor released since. A script may
        set it to False to be done with this QEMU: the next start makes another, and
        nothing is asked of the guest at the end."""
        return self._now("booted", self._vm.booted)

    @booted.setter
    def booted(self, booted: bool) -> None:
        self._said["booted"] = booted

    @property
    def connected(self) -> bool:
        """Whether its root shell is connected. A script may set it to False when it
        has made the guest restart: the next command waits for it to be back."""
        return self._vm.connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        if not connected and self.connected:
            self._vm.disconnect()

    @property
    def process(self) -> Optional[Process]:
        """QEMU as it was last started, if it was."""
        return self._now("process", self._last_process())

    @process.setter
    def process(self, process: Optional[Process]) -> None:
        self._said["process"] = process

    def _now(self, name: str, otherwise: Any) -> Any:
        self._last_process()
        return self._said.get(name, otherwise)

    def _last_process(self) -> Optional[Process]:
        last, pid = self._process, self._vm.pid
        is_another = last is None or (pid is not None and pid != last.pid)
        if self._vm.booted and is_another:
            self._process = Process(self._vm, self.name)
            self._said.clear()
        return self._process

    def is_up(self) -> bool:
        return self.booted and self.connected

    def start(self, allow_reboot: bool = False) -> None:
        """Starts it; does not wait for the guest to boot."""
        if self._now("booted", True) is False:
            self.release()
        self._said.clear()
        self._vm.start(allow_reboot)
        self._last_process()

    def connect(self) -> None:
        """Waits until the guest has booted; starts it if need be."""
        if self.connected:
            return
        if not self.booted:
            self.start()
        self._vm.connect()

    def shutdown(self) -> None:
        """Powers the guest off, and waits for QEMU to end."""
        self._end_by(self._vm.shutdown)

    def crash(self) -> None:
        """Pulls the plug."""
        self._end_by(self._vm.crash)

    def reboot(self) -> None:
        """Presses Ctrl+Alt+Delete; the next command waits for the guest to be back, if
        it was started with `allow_reboot=True`."""
        self._vm.reboot()

    def wait_for_shutdown(self) -> None:
        """Waits for QEMU to end."""
        self._end_by(self._vm.wait_for_shutdown)

    def switch_root(self) -> None:
        """Has systemd leave its initrd, and waits for the root shell after it."""
        self._vm.switch_root()

    def release(self) -> None:
        """Kills QEMU."""
        process = self._last_process()
        if process is not None:
            process.poll()
        self._vm.release()
        if process is not None:
            process.was_released()

    def _end_by(self, operation: Callable[[], Any]) -> None:
        """Ends QEMU, unless it has ended; how it did is remembered."""
        if not self.booted:
            return
        process = self._last_process()
        operation()
        if process is not None:
            process.poll()

    def cleanup_statedir(self) -> None:
        """Kills QEMU and removes the state directory: the machine's end."""
        rootlog.log(f"deleting VM state directory {self.state_dir}")
        rootlog.log("if you want to keep the VM state, pass --keep-vm-state")
        self._vm.cleanup_statedir()
