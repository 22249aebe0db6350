"""Copying of files, and waits for them."""

import _vmwright
from test_driver.duration import Duration


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
        """Waits until a file exists. The shell expands its name, as in `test -e NAME`."""
        self._vm.wait_for_file(str(filename), timeout)
