"""Signs of trouble on the console."""

from typing import Any, List, NamedTuple


class Trouble(NamedTuple):
    """A sign of trouble that a machine's console has shown."""

    name: str
    # The first that showed it.
    line: str
    count: int


class Signs:
    """What is trouble on a machine's console."""

    _vm: Any

    def trouble(self) -> List[Trouble]:
        """What this start has shown of it, each kind once."""
        return [Trouble(*seen) for seen in self._vm.trouble()]

    def allow_trouble(self, name: str) -> None:
        """Trouble of this name, such as `kernel panic`, is none: neither what was seen
        already nor what comes."""
        self._vm.allow_trouble(name)

    def watch_console(self, name: str, regex: str, ends: bool = False) -> None:
        """One kind of trouble more: lines of the console that `regex` matches, in the
        words of Rust's regular expressions. Errors mention it; if it `ends` the guest,
        whatever waits for that ends at once."""
        self._vm.watch_console(name, regex, ends)
