"""A machine's QEMU and its connections, with those methods of processes, sockets and queues
that scripts use."""

import os
import signal
from base64 import b64decode
from io import UnsupportedOperation
from queue import Queue
from typing import Any, Optional

from test_driver.duration import Duration, as_seconds
from test_driver.errors import ShutdownTimedOut, TimedOut
from test_driver.machine.qmp import MachineSession


PROMPT = "(qemu) "
NO_SOCKET = "the driver has no socket for this connection"


class Process:
    """A QEMU process, with the methods of `subprocess.Popen` that scripts use."""

    def __init__(self, machine: Any):
        self._vm = vm = machine._vm
        self._returncode: Optional[int] = None
        self.args = machine.name
        self.pid: Optional[int] = vm.pid
        self.stdin = Stdin(vm)
        # Its output is the serial console's, in the log.
        self.stdout = None
        self.lines = Lines(vm)
        self.qmp = MachineSession(vm)
        self.monitor = Monitor(machine)
        self.shell = Shell(machine)

    @property
    def returncode(self) -> Optional[int]:
        return self.poll()

    def poll(self) -> Optional[int]:
        """Its exit status, if it has ended."""
        if self._returncode is None:
            self._returncode = self._vm.exit_status
        return self._returncode

    def wait(self, timeout: Optional[Duration] = None) -> Optional[int]:
        """Waits until it ends; subprocess.TimeoutExpired after `timeout`."""
        if self.poll() is None:
            self.expect_end(timeout)
        return self._returncode

    def expect_end(self, timeout: Optional[Duration] = None) -> None:
        """The same, and records that the machine is off."""
        try:
            self._returncode = self._vm.wait_for_shutdown(timeout)
        except TimedOut as error:
            limit = as_seconds(timeout or 0)
            raise ShutdownTimedOut.of(error, self.args, limit) from None

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


class Lines(Queue[str]):
    """The console's lines after the last match of a wait. Each access adds the new lines.
    The next wait for console text starts after the lines that were added."""

    def __init__(self, vm: Any = None):
        super().__init__()
        self._vm = vm

    def _fill(self, wait: bool, timeout: Optional[Duration] = None) -> None:
        text = self._vm.console_lines(wait, timeout) if self._vm is not None else ""
        for line in text.split("\n")[:-1]:
            self.put(line.rstrip())

    def get(self, block: bool = True, timeout: Optional[Duration] = None) -> str:
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
        # What it has printed and `recv` has not returned.
        self._printed = b""

    def send(self, command: bytes) -> int:
        for line in command.decode().splitlines():
            reply = self._machine.send_monitor_command(line)
            self._printed += f"{reply}{PROMPT}".encode()
        return len(command)

    sendall = send

    def recv(self, size: int) -> bytes:
        """The next bytes of the replies, each of which ends in the prompt."""
        if not self._printed:
            self.send(b"\n")
        received, self._printed = self._printed[:size], self._printed[size:]
        return received

    def take(self) -> str:
        """All that `recv` would return without waiting."""
        return self.recv(len(self._printed)).decode() if self._printed else ""

    def fileno(self) -> int:
        raise UnsupportedOperation(NO_SOCKET)


class Shell:
    """A machine's root shell, with the methods of a socket that scripts use."""

    def __init__(self, machine: Any):
        self._machine = machine
        # The guest's file for the output of all commands.
        self._output: Optional[str] = None
        # How many bytes of it `recv` has returned.
        self._received = 0

    def send(self, command: bytes) -> int:
        """Starts commands in the background."""
        if self._output is None:
            self._output = self._machine.succeed("mktemp").strip()
        line = "{ " + command.decode() + "\n} >>" + self._output + " &"
        self._machine.execute(line, check_output=False)
        return len(command)

    sendall = send

    def recv(self, size: int) -> bytes:
        """The next bytes that the commands have written to their standard output. Waits for
        some, at most 15 minutes."""
        file, end = self._output or "/dev/null", self._received + size
        self._machine.wait_until_succeeds(f"(( $(stat -c %s {file}) > {self._received} ))")
        read = f"head -c {end} {file} | tail -c +{self._received + 1} | base64"
        received = b64decode(self._machine.succeed(read))
        self._received += len(received)
        return received

    def fileno(self) -> int:
        raise UnsupportedOperation(NO_SOCKET)
