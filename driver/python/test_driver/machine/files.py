"""Files."""

import re
import shlex
from typing import Any, Optional


def _expandable(path: str) -> Optional[str]:
    """A word of the shell's for a path which it has to expand: with `~` or `~user` before
    it, or `*`, `?` or `[]` in it; all else stays as it is."""
    home = re.match(r"~[\w.-]*(?=/|$)", path)
    rest = path[home.end() :] if home else path
    parts = re.split(r"([*?\[\]]+)", rest)
    if home is None and len(parts) == 1:
        return None
    # Those at odd places are what splits.
    words = [part if at % 2 else shlex.quote(part) for at, part in enumerate(parts) if part]
    return (home.group() if home else "") + "".join(words)


class Files:
    """What goes into a machine and out of it."""

    _vm: Any

    def copy_from_host(self, source: str, target: str) -> None:
        """Copies a file or directory of the host's to `target` in the guest."""
        self._vm.copy_from_host(source, str(target))

    def copy_from_host_via_shell(self, source: str, target: str) -> None:
        """Copies a file of the host's into the guest without a shared directory."""
        self._vm.copy_from_host_via_shell(source, str(target))

    def copy_from_vm(self, source: str, target_dir: str = "") -> None:
        """Copies a file or directory of the guest's into `target_dir`, which is in the
        output directory."""
        self._vm.copy_from_machine(str(source), target_dir)

    def copy_from_machine(self, source: str, target_dir: str = "") -> None:
        """Copies a file or directory of the guest's into `target_dir`, which is in the
        output directory."""
        self._vm.copy_from_machine(str(source), target_dir)

    def wait_for_file(self, filename: str, timeout: int = 900) -> None:
        """Waits until there is a file. `~`, `~user`, `*`, `?` and `[]` are the shell's."""
        word = _expandable(str(filename))
        if word is None:
            self._vm.wait_for_file(str(filename), timeout)
        else:
            look = f"for file in {word}; do if [[ -e $file ]]; then exit; fi; done; false"
            self._vm.wait_until_succeeds(look, timeout)
