"""The variables of a machine's EFI firmware."""

import struct
from pathlib import Path
from typing import Any, Dict, List, Optional
from uuid import UUID

from test_driver.efi_image import Image
from test_driver.efi_variable import EfiGuid as EfiGuid
from test_driver.efi_variable import EfiVariable as EfiVariable
from test_driver.errors import MachineError, RequestedAssertionFailed

# The longest image that is read: a guest may have written it.
MAX_IMAGE_SIZE = 1 << 26


class EfiVars:
    """The variables of a machine, in a file. They can be used only while it is off."""

    def __init__(self, state_path: Path, machine: Any):
        self.state_path = state_path
        self.machine = machine

    def read_content(self) -> Optional[Dict[str, Dict[str, EfiVariable]]]:
        """The variables by vendor and name. None if there is no file."""
        image = self._image()
        if image is None:
            return None
        content: Dict[str, Dict[str, EfiVariable]] = {}
        for variable in image.variables():
            if not variable.isDeleted:
                vendor = str(UUID(bytes_le=variable.vendorUUID.bytes))
                content.setdefault(vendor, {})[variable.name] = variable
        return content

    def read(self) -> List[EfiVariable]:
        """All variables; none if there is no file."""
        vendors = (self.read_content() or {}).values()
        return [variable for vendor in vendors for variable in vendor.values()]

    def create_empty(self) -> None:
        """Makes a file without variables."""
        self._assert_stopped()
        try:
            with open(self.state_path, "xb") as file:
                file.write(Image.empty().with_variables([]))
        except FileExistsError:
            raise RequestedAssertionFailed(
                f"{self.machine.name}: {self.state_path}, the file of EFI variables, exists already"
            ) from None

    def write(self, add: List[EfiVariable]) -> None:
        """Adds variables, which replace those of the same vendor and name. Makes the file if
        there is none."""
        image = self._image() or Image.empty()
        variables = {(of.vendorUUID, of.name): of for of in [*self.read(), *add]}
        try:
            flash = image.with_variables(list(variables.values()))
        except (ValueError, struct.error) as error:
            raise self._error("written", error) from None
        self.state_path.write_bytes(flash)

    def _image(self) -> Optional[Image]:
        self._assert_stopped()
        try:
            with open(self.state_path, "rb") as file:
                return Image(file.read(MAX_IMAGE_SIZE))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise self._error("read", error) from None

    def _error(self, done: str, error: Exception) -> MachineError:
        return MachineError(
            f"{self.machine.name}: the EFI variables can't be {done}: {self.state_path}: {error}"
        )

    def _assert_stopped(self) -> None:
        if self.machine.booted:
            raise RequestedAssertionFailed(
                f"{self.machine.name}: the machine runs, and its EFI variables may change:"
                " shut it down or crash it first"
            )
