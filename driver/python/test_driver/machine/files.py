"""Copying of files, and waits for them."""

import re
import shlex
from typing import Optional

import _vmwright
from test_driver.duration import Duration


def _expandable(path: str) -> Optional[str]:
    """A shell word for a path that the shell expands, because it starts with `~` or `~user`
    or contains `*`, `?`, `[` or `]`. The other characters are quoted. None for other
    paths."""
    home = re.match(r"~[\w.-]*(?=/|$)", path)
    rest = path[home.end() :] if home else path
    parts = re.split(r"([*?\[\]]+)", rest)
    if home is None and len(parts) == 1:
        return None
    # Parts with odd indices are the separators.
    words = [part if at % 2 else shlex.quote(part) for at, part in enumerate(parts) if part]
    return (home.group() if home else "") + "".join(words)


class Files:
    """A machine's files."""

    _vm: _vmwright.Machine

    def copy_from_host(self, source: str, target: str) -> None:
        """Copies a file or directory of the host to `target` in the guest."""
        self._vm.copy_from_host(source, str(target))

    def copy_from_host_via_shell(self, source: str, target: str) -> None:
        """Copies a file of the host into the guest without a shared directory."""
        self._vm.copy_from_host_via_shell(source, str(target))

    def copy_from_vm(self, source: str, target_dir: str = "") -> None:
        """An older name for `copy_from_machine`."""
        self._vm.copy_from_machine(str(source), target_dir)

    def copy_from_machine(self, source: str, target_dir: str = "") -> None:
        """Copies a file or directory of the guest into `target_dir`, which is relative to
        the output directory."""
        self._vm.copy_from_machine(str(source), target_dir)

    def wait_for_file(self, filename: str, timeout: Duration = 900) -> None:
        """Waits until a file exists. The shell expands `~`, `~user`, `*`, `?` and `[]`."""
        word = _expandable(str(filename))
        if word is None:
            self._vm.wait_for_file(str(filename), timeout)
        else:
            probe = f"for file in {word}; do if [[ -e $file ]]; then exit; fi; done; false"
            self._vm.wait_until_succeeds(probe, timeout)
