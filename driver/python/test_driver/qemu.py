"""A machine's QEMU and the lines to it, as far as scripts use them as processes, sockets
and queues."""

import os
import signal
import subprocess
from queue import Queue
from typing import Any, Optional

from test_driver.errors import RequestedAssertionFailed


class Process:
    """One start of a machine's QEMU, as far as scripts use `subprocess.Popen` of it."""

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
        """How it ended, if it has."""
        if self._returncode is None:
            self._returncode = self._vm.exit_status
        return self._returncode

    def wait(self, timeout: Optional[float] = None) -> Optional[int]:
        """Waits for its end."""
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
        """It was killed, and the machine has forgotten it."""
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
        """There is nothing to do: what is written is sent."""


class Lines(Queue):
    """The console's lines which no wait has gone past. It is filled when it is looked at:
    whoever empties it has the next wait for console text begin with what comes then."""

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
    """A machine's human monitor, as far as scripts use a socket of it."""

    def __init__(self, machine: Any):
        self._machine = machine

    def send(self, command: bytes) -> int:
        self._machine.send_monitor_command(command.decode().removesuffix("\n"))
        return len(command)

    sendall = send


class Shell:
    """A machine's root shell, as far as scripts use a socket of it."""

    def __init__(self, machine: Any):
        self._machine = machine

    def send(self, command: bytes) -> int:
        self._machine.execute(command.decode(), check_output=False)
        return len(command)

    sendall = send
