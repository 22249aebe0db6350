"""The serial console."""

from typing import Any, Optional

from test_driver.machine.search import search


class Console:
    """A machine's serial console."""

    _vm: Any

    def wait_for_console_text(
        self, regex: str, timeout: Optional[int] = None
    ) -> None:
        """Waits until a regular expression matches what the console has shown since
        the last match; it may span lines."""
        self._vm.wait_for_console_text(*search(regex), timeout)

    def get_console_log(self) -> str:
        """The whole output of the console."""
        return self._vm.get_console_log()

    def send_console(self, chars: str) -> None:
        """Sends characters to the console, as if typed."""
        self._vm.send_console(chars)

    def console_interact(self) -> None:
        """Connects this terminal to the console, for interactive use."""
        self._vm.console_interact()
