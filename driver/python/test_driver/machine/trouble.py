"""Signs of trouble on the console."""

from typing import List, NamedTuple

import _vmwright


class Trouble(NamedTuple):
    """A sign of trouble that a machine's console has shown."""

    name: str
    # The first line that showed it.
    line: str
    count: int  # type: ignore[assignment]  # It hides the method of tuples.


class Signs:
    """The detection of trouble on a machine's console."""

    _vm: _vmwright.Machine

    def trouble(self) -> List[Trouble]:
        """The trouble since the last start, one entry for each name."""
        return [Trouble(*fields) for fields in self._vm.trouble()]

    def allow_trouble(self, name: str) -> None:
        """Ignores trouble of this name, such as `kernel panic`, before and after the
        call."""
        self._vm.allow_trouble(name)

    def watch_console(self, name: str, regex: str, ends: bool = False) -> None:
        """Adds a kind of trouble: console lines that match `regex`, in the syntax of Rust's
        crate regex. Error messages mention it. With `ends`, it is the end of the guest:
        waits for the guest fail at once."""
        self._vm.watch_console(name, regex, ends)
