"""A machine's QEMU and its connections, with those methods of processes, sockets and queues
that scripts use."""

import os
import signal
import subprocess
from queue import Queue
from typing import Any, Optional

from test_driver.errors import RequestedAssertionFailed


class Process:
    """A QEMU process, with the methods of `subprocess.Popen` that scripts use."""

    def __init__(self, vm: Any, name: str):
        self._vm = vm
        self._returncode: Optional[int] = None
        self.args = name
        self.pid: Optional[int] = vm.pid
        self.stdin = Stdin(vm)
        self.lines = Lines(vm)

    @property
    def returncode(self) -> Optional[int]:
        return self.poll()

    def poll(self) -> Optional[int]:
        """Its exit status, if it has ended."""
        if self._returncode is None:
            self._returncode = self._vm.exit_status
        return self._returncode

    def wait(self, timeout: Optional[float] = None) -> Optional[int]:
        """Waits until it ends."""
        if self.poll() is None:
            try:
                self._returncode = self._vm.wait_for_shutdown(timeout)
            except RequestedAssertionFailed:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
        return self._returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None and self.pid is not None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def was_released(self) -> None:
        """Records that it was killed. The machine no longer has its exit status."""
        if self._returncode is None:
            self._returncode = -signal.SIGKILL


class Stdin:
    """The serial console's input."""

    def __init__(self, vm: Any):
        self._vm = vm

    def write(self, chars: bytes) -> int:
        self._vm.send_console(chars.decode())
        return len(chars)

    def flush(self) -> None:
        """Does nothing: `write` does not buffer."""


class Lines(Queue):
    """The console's lines after the last match of a wait. Each access adds the new lines.
    The next wait for console text starts after the lines that were added."""

    def __init__(self, vm: Any = None):
        super().__init__()
        self._vm = vm

    def _fill(self, wait: bool, timeout: Optional[float] = None) -> None:
        text = self._vm.console_lines(wait, timeout) if self._vm is not None else ""
        for line in text.split("\n")[:-1]:
            self.put(line.rstrip())

    def get(self, block: bool = True, timeout: Optional[float] = None) -> str:
        if super().empty():
            self._fill(block, timeout)
        return super().get(block=False)

    def empty(self) -> bool:
        return self.qsize() == 0

    def qsize(self) -> int:
        self._fill(wait=False)
        return super().qsize()


class Monitor:
    """A machine's human monitor, with the methods of a socket that scripts use."""

    def __init__(self, machine: Any):
        self._machine = machine

    def send(self, command: bytes) -> int:
        self._machine.send_monitor_command(command.decode().removesuffix("\n"))
        return len(command)

    sendall = send


class Shell:
    """A machine's root shell, with the methods of a socket that scripts use."""

    def __init__(self, machine: Any):
        self._machine = machine

    def send(self, command: bytes) -> int:
        self._machine.execute(command.decode(), check_output=False)
        return len(command)

    sendall = send
