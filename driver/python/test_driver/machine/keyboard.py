"""The keyboard and virtual terminals."""

from typing import Optional

import _vmwright
from test_driver.duration import Duration
from test_driver.machine.search import search


class Keyboard:
    """A machine's keyboard and virtual terminals."""

    _vm: _vmwright.Machine

    def send_key(
        self, key: str, delay: Optional[Duration] = 0.01, log: Optional[bool] = True
    ) -> None:
        """Presses keys, such as `ctrl-alt-delete`, and waits for `delay`."""
        self._vm.send_key(key, delay, bool(log))

    def send_chars(self, chars: str, delay: Optional[Duration] = 0.01) -> None:
        """Types characters, `delay` apart."""
        self._vm.send_chars(chars, delay)

    def get_tty_text(self, tty: str) -> str:
        """The text on a virtual terminal."""
        return self._vm.get_tty_text(str(tty))

    def wait_until_tty_matches(
        self, tty: str, regexp: str, timeout: Duration = 900
    ) -> None:
        """Waits until a regular expression matches the text on a virtual terminal."""
        self._vm.wait_until_tty_matches(str(tty), *search(regexp), timeout)

    def dump_tty_contents(self, tty: str) -> None:
        """Writes the text on a virtual terminal to the guest's journal."""
        self._vm.dump_tty_contents(str(tty))
