"""The serial console."""

from typing import List, Optional

import _vmwright
from test_driver.duration import Duration
from test_driver.machine.search import search


class Console:
    """A machine's serial console."""

    _vm: _vmwright.Machine

    def wait_for_console_text(
        self, regex: str, timeout: Optional[Duration] = None
    ) -> None:
        """Waits until a regular expression matches what the console has shown since
        the last match; it may span lines."""
        self._vm.wait_for_console_text(*search(regex), timeout)

    def console_screen(self) -> str:
        """What a terminal of 80 columns and 24 rows on the console shows: the menu of a boot
        loader or the dialogue of an installer, say."""
        return self._vm.console_screen()

    def wait_for_console_screen(
        self, regex: str, timeout: Optional[Duration] = 900
    ) -> None:
        """Waits until a regular expression matches what `console_screen` returns."""
        self._vm.wait_for_console_screen(*search(regex), timeout)

    def get_console_log(self) -> str:
        """The whole output of the console."""
        return self._vm.get_console_log()

    @property
    def full_console_log(self) -> List[str]:
        """The lines of the whole output of the console."""
        lines = self.get_console_log().split("\n")
        return [line.rstrip() for line in (lines if lines[-1] else lines[:-1])]

    def send_console(self, chars: str) -> None:
        """Sends characters to the console, as if typed; `"\\x1b[A"` is the cursor key up."""
        self._vm.send_console(chars)

    def console_interact(self) -> None:
        """Connects this terminal to the console, for interactive use."""
        self._vm.console_interact()
