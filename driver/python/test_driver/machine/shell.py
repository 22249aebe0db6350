"""Commands."""

from typing import Any, Callable, Optional, Tuple

from test_driver.errors import MachineError


class Commands:
    """What a machine's root shell runs."""

    _vm: Any
    connect: Callable[[], None]

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: Optional[int] = 900,
    ) -> Tuple[int, str]:
        """Runs a command with bash, by root, with `set -euo pipefail`; gives its exit
        status and standard output. After `timeout` it is ended, with status 124.

        It has ended when all have closed its standard output: what is to go on in the
        background must be given another (`sleep 1d >&2 &`).

        Without `check_return` the status is -1, also if the guest goes away meanwhile.
        Without `check_output` it is not waited for: (-2, "").
        """
        # A guest that does not boot is nothing that a script may ignore.
        self.connect()
        if not check_output:
            # No one is to wait for what has our standard output.
            command = "{ " + command + "\n} >/dev/null &"
        try:
            # As timeout(1) has it: 0 is no limit.
            status, output = self._vm.execute(command, timeout or None)
        except MachineError:
            if check_return and check_output:
                raise
            status, output = -1, ""
        if not check_output:
            return (-2, "")
        return (status if check_return else -1, output)

    def succeed(self, *commands: str, timeout: Optional[int] = None) -> str:
        """Runs commands that must all succeed; gives all their output."""
        return "".join(self._vm.succeed(command, timeout or None) for command in commands)

    def fail(self, *commands: str, timeout: Optional[int] = None) -> str:
        """Runs commands that must all fail; gives all their output."""
        return "".join(self._vm.fail(command, timeout or None) for command in commands)

    def wait_until_succeeds(self, command: str, timeout: int = 900) -> str:
        """Repeats a command until it succeeds; gives its output."""
        return self._vm.wait_until_succeeds(command, timeout)

    def wait_until_fails(self, command: str, timeout: int = 900) -> str:
        """Repeats a command until it fails; gives its output."""
        return self._vm.wait_until_fails(command, timeout)

    def sleep(self, secs: int) -> None:
        """Lets time pass in the guest."""
        self._vm.sleep(secs)

    def shell_interact(self, address: Optional[str] = None) -> None:
        """A root shell for a person: at this terminal, or at an address to which it
        connects, `tcp:HOST:PORT` or `unix:PATH`. Not for tests."""
        try:
            self._vm.shell_interact(address)
        except KeyboardInterrupt:
            pass  # Whoever leaves it so wants the test to go on.
