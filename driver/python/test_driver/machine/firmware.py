"""The variables of EFI firmware."""

from pathlib import Path
from typing import List

from test_driver.efi import EfiVariable, EfiVars


class Firmware:
    """The variables of a machine's EFI firmware, which can be used while it is off."""

    name: str
    state_dir: Path

    @property
    def efi_vars_path(self) -> Path:
        """The file of the variables, which start scripts find as `$NIX_EFI_VARS`."""
        return self.state_dir / f"{self.name}-efi-vars.fd"

    @property
    def efi_vars(self) -> EfiVars:
        """The file, read and written."""
        return EfiVars(self.efi_vars_path, self)

    def create_efi_vars(self) -> None:
        """Makes a file without variables; fails if there is one."""
        self.efi_vars.create_empty()

    def read_efi_vars(self) -> List[EfiVariable]:
        """The variables; none if there is no file."""
        return self.efi_vars.read()

    def write_efi_vars(self, add: List[EfiVariable]) -> None:
        """Adds variables, which replace those of the same vendor and name."""
        self.efi_vars.write(add)

    def dump_efi_vars(self) -> None:
        """Prints the variables."""
        for variable in self.read_efi_vars():
            variable.print()
