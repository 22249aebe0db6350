"""Commands in the guest."""

from pathlib import Path
from typing import Callable, Optional, Tuple

import _vmwright
from test_driver import vsock
from test_driver.duration import Duration, one_of
from test_driver.errors import MachineError


class Commands:
    """The root shell of a machine."""

    name: str
    # The socket of the host that leads to the guest's virtual sockets.
    vsock_host: Optional[Path]
    _vm: _vmwright.Machine
    connect: Callable[[], None]

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: Optional[Duration] = 900,
    ) -> Tuple[int, str]:
        """Runs a command as root in bash with `set -euo pipefail`; returns its exit status
        and standard output. After `timeout` it is killed, and the status is 124; None and 0
        are no limit.

        The command has ended once all processes have closed its standard output. Redirect
        that of background processes (`sleep 1d >&2 &`).

        Without `check_return` the status is -1, even if the guest ends meanwhile. Without
        `check_output` the command runs in the background, and the result is (-2, "").
        """
        # Not within the `try`: a guest that does not boot is always an error.
        self.connect()
        if not check_output:
            # The shell waits until its standard output is closed.
            command = "{ " + command + "\n} >/dev/null &"
        try:
            status, output, timed_out = self._vm.execute(command, timeout)
        except MachineError:
            if check_return and check_output:
                raise
            status, output, timed_out = -1, "", False
        if timed_out:
            self._timed_out(command, timeout, output)
        if not check_output:
            return (-2, "")
        return (status if check_return else -1, output)

    def _timed_out(self, command: str, timeout: Optional[Duration], output: str) -> None:
        """Called when a command has timed out."""

    def succeed(self, *commands: str, timeout: Optional[Duration] = None) -> str:
        """Runs commands that must all succeed; returns all their output."""
        return "".join(self._vm.succeed(command, timeout) for command in commands)

    def fail(self, *commands: str, timeout: Optional[Duration] = None) -> str:
        """Runs commands that must all fail; returns all their output."""
        return "".join(self._vm.fail(command, timeout) for command in commands)

    def wait_until_succeeds(self, command: str, timeout: Optional[Duration] = 900) -> str:
        """Repeats a command until it succeeds; returns its output."""
        return self._vm.wait_until_succeeds(command, timeout)

    def wait_until_fails(self, command: str, timeout: Optional[Duration] = 900) -> str:
        """Repeats a command until it fails; returns its output."""
        return self._vm.wait_until_fails(command, timeout)

    def sleep(
        self, secs: Optional[Duration] = None, duration: Optional[Duration] = None
    ) -> None:
        """Sleeps by the guest's clock. `duration` is the newer name of `secs`."""
        duration = one_of("sleep", "duration secs", duration, secs)
        if duration is None:
            raise TypeError("sleep() needs a duration")
        self._vm.sleep(duration)

    def ssh_backdoor_command(self, index: Optional[int] = None) -> str:
        """The command by which a user of the host connects to the guest's SSH server through
        a virtual socket. Fails if the machine has none. `index` is that of older versions of
        the NixOS test driver: the context identifier of the guest's own device."""
        if index is not None and self.vsock_host is None:
            return f"ssh -o User=root vsock/{index}"
        if self.vsock_host is None:
            raise MachineError(
                f"{self.name}: it has no SSH backdoor, which needs `enable_ssh_backdoor` in the"
                f" configuration, and {vsock.PROGRAM} in PATH. Use shell_interact() instead"
            )
        return f"ssh -o User=root vsock-mux/{self.vsock_host}"

    def shell_interact(self, address: Optional[str] = None) -> None:
        """Connects this terminal to a root shell, for interactive use; or the program that
        listens at an address, `tcp:HOST:PORT` or `unix:PATH`."""
        try:
            self._vm.shell_interact(address)
        except KeyboardInterrupt:
            pass  # Ctrl-C leaves the shell, and the test continues.
