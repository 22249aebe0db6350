"""The variables of a machine's EFI firmware, in the format of EDK2's flash images.

An image is a firmware volume (its header, then a store of variables, then areas in which the
firmware prepares changes) as described in EDK2's `VarStore.fdf.inc` and
`AuthenticatedVariableFormat.h`. Erased flash has all bits set; a variable's state is the bits
that were cleared since.
"""

import struct
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional
from uuid import UUID

from test_driver.errors import MachineError, RequestedAssertionFailed

ERASED = b"\xff"

# The size of a new image, as of OVMF's with 4 MiB: the store, the event log and the working
# area of the firmware, and as much again for copies of them.
IMAGE_SIZE, BLOCK_SIZE = 0x84000, 0x1000
STORE_AREA, WORKING_AREA = 0x40000, 0x41000

# The longest image that is read: a guest may have written it.
MAX_IMAGE_SIZE = 1 << 26

# EFI_FIRMWARE_VOLUME_HEADER, with its one block map and the end of the map: GUID of the
# contents, length, signature, attributes, length of the header, checksum, extension, reserved,
# revision, number and length of blocks.
VOLUME = struct.Struct("<16x16sQ4sIHHHBBIIQ")
VOLUME_ATTRIBUTES, VOLUME_REVISION = 0x4FEFF, 2

# VARIABLE_STORE_HEADER: GUID, size with this header, format, state.
STORE = struct.Struct("<16sIBB6x")
FORMATTED, HEALTHY = 0x5A, 0xFE

# AUTHENTICATED_VARIABLE_HEADER: start, state, attributes, count and time of authentication,
# key, lengths of name and data, vendor.
VARIABLE = struct.Struct("<HBxIQ16sIII16s")
VARIABLE_START = 0x55AA

# EFI_FAULT_TOLERANT_WORKING_BLOCK_HEADER of an empty area: signature, checksum, state, size.
WORKING = struct.pack(
    "<16sIIQ",
    UUID("9e58292b-7c68-497d-a0ce-6500fd9f1b95").bytes_le,
    0x642CAF2C,
    0xFFFFFFFE,
    0xFE0,
)


class _Stored(UUID):
    """A vendor as `EfiVariable.vendorUUID` has it: the bytes of the file, read as a UUID."""

    @classmethod
    def of(cls, vendor: UUID) -> "_Stored":
        return vendor if isinstance(vendor, cls) else cls(bytes=vendor.bytes_le)


class EfiGuid:
    """Well-known vendors."""

    gEdkiiVarErrorFlagGuid = _Stored.of(UUID("04b37fe8-f6ae-480b-bdd5-37d98c5e89aa"))
    gEfiAuthenticatedVariableGuid = _Stored.of(UUID("aaf32c78-947b-439a-a180-2e144ec37792"))
    gEfiCertDbGuid = _Stored.of(UUID("d9bee56e-75dc-49d9-b4d7-b534210f637a"))
    gEfiCustomModeEnableGuid = _Stored.of(UUID("c076ec0c-7028-4399-a072-71ee5c448b9f"))
    gEfiGlobalVariableGuid = _Stored.of(UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c"))
    gEfiIScsiInitiatorNameProtocolGuid = _Stored.of(UUID("59324945-ec44-4c0d-b1cd-9db139df070c"))
    gEfiImageSecurityDatabaseGuid = _Stored.of(UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f"))
    gEfiIp4Config2ProtocolGuid = _Stored.of(UUID("5b446ed1-e30b-4faa-871a-3654eca36080"))
    gEfiMemoryTypeInformationGuid = _Stored.of(UUID("4c19049f-4137-4dd3-9c10-8b97a83ffdfa"))
    gEfiSecureBootEnableDisableGuid = _Stored.of(UUID("f0a30bc7-af08-4556-99c4-001009c93a44"))
    gEfiSystemNvDataFvGuid = _Stored.of(UUID("fff12b8d-7696-4c8b-a985-2747075b4f50"))
    gEfiVendorKeysNvGuid = _Stored.of(UUID("9073e4e0-60ec-4b6e-9903-4c223c260f3c"))
    gIScsiConfigGuid = _Stored.of(UUID("4b47d616-a8d6-4552-9d44-ccad2e0f4cf9"))
    gMicrosoftVendorGuid = _Stored.of(UUID("77fa9abd-0359-4d32-bd60-28f4e78f784b"))
    gMtcVendorGuid = _Stored.of(UUID("eb704011-1402-11d3-8e77-00a0c969723b"))
    mBmHardDriveBootVariableGuid = _Stored.of(UUID("fab7e9e1-39dd-4f2b-8408-e20e906cb6de"))


class EfiVariable:
    """A variable. `vendor_uuid` is the vendor's GUID; `flags` are its attributes; `state` is the
    bits of the state that are cleared in the flash, by default those of a valid variable."""

    class Flags:
        NON_VOLATILE = 0x1
        BOOTSERVICE_ACCESS = 0x2
        RUNTIME_ACCESS = 0x4
        HARDWARE_ERROR_RECORD = 0x8
        AUTHENTICATED_WRITE_ACCESS = 0x10
        TIME_BASED_AUTHENTICATED_WRITE_ACCESS = 0x20
        APPEND_WRITE = 0x40

    class State:
        VAR_HEADER_VALID_ONLY = 0x7F
        VAR_ADDED = 0x3F

    def __init__(
        self,
        vendor_uuid: Optional[UUID] = None,
        name: Optional[str] = None,
        data: Optional[bytes] = None,
        state: Optional[int] = None,
        flags: Optional[int] = None,
    ) -> None:
        self.vendorUUID: UUID = _Stored.of(vendor_uuid or UUID(int=0))
        self.name = name or ""
        self.data = data or b""
        self.state = self.State.VAR_ADDED if state is None else state ^ 0xFF
        self.flags = flags or 0
        # How often and when an authenticated variable was written, and by whose key.
        self.monotonicCount, self.timestamp, self.pubKeyIdx = 0, bytes(16), 0

    def _has(self, flag: int) -> bool:
        return bool(self.flags & flag)

    @property
    def volatile(self) -> bool:
        return not self._has(self.Flags.NON_VOLATILE)

    @property
    def boot_access(self) -> bool:
        return self._has(self.Flags.BOOTSERVICE_ACCESS)

    @property
    def runtime_access(self) -> bool:
        return self._has(self.Flags.RUNTIME_ACCESS)

    @property
    def hardware_error_record(self) -> bool:
        return self._has(self.Flags.HARDWARE_ERROR_RECORD)

    @property
    def authenticated_write_access(self) -> bool:
        return self._has(self.Flags.AUTHENTICATED_WRITE_ACCESS)

    @property
    def time_based_authenticated_write_access(self) -> bool:
        return self._has(self.Flags.TIME_BASED_AUTHENTICATED_WRITE_ACCESS)

    @property
    def append_write(self) -> bool:
        return self._has(self.Flags.APPEND_WRITE)

    @property
    def isDeleted(self) -> bool:
        # VAR_DELETED, or a header whose name and data were not written.
        return not self.state & 0x02 or bool(self.state & 0x40)

    def print(self) -> None:
        """Prints it in one line."""
        vendor = UUID(bytes_le=self.vendorUUID.bytes)
        print(f"{vendor} {self.name}: flags {self.flags:#x}, data {self.data.hex(' ')}")


class _Image:
    """A flash image, without the changes that the firmware was preparing."""

    def __init__(self, flash: bytes):
        self._flash = flash
        if len(flash) < VOLUME.size + STORE.size:
            raise ValueError(f"it has {len(flash)} bytes")
        volume = VOLUME.unpack_from(flash)
        self._store = volume[4]
        if volume[1] > len(flash) or volume[2] != b"_FVH" or self._store < VOLUME.size:
            raise ValueError("it does not begin with a firmware volume")
        store, size, format, _ = STORE.unpack_from(flash, self._store)
        self._end = self._store + size
        if store != EfiGuid.gEfiAuthenticatedVariableGuid.bytes or format != FORMATTED:
            raise ValueError("its firmware volume is no store of authenticated variables")
        if self._end > len(flash):
            raise ValueError("its store of variables is truncated")

    @classmethod
    def empty(cls) -> "_Image":
        contents = EfiGuid.gEfiSystemNvDataFvGuid.bytes
        fields = [contents, IMAGE_SIZE, b"_FVH", VOLUME_ATTRIBUTES, VOLUME.size, 0, 0]
        blocks = [0, VOLUME_REVISION, IMAGE_SIZE // BLOCK_SIZE, BLOCK_SIZE, 0]
        volume = VOLUME.pack(*fields, *blocks)
        # All 16-bit words of the header add up to 0.
        fields[5] = -sum(struct.unpack(f"<{VOLUME.size // 2}H", volume)) & 0xFFFF
        volume = VOLUME.pack(*fields, *blocks)
        size = STORE_AREA - VOLUME.size
        store = EfiGuid.gEfiAuthenticatedVariableGuid.bytes
        header = volume + STORE.pack(store, size, FORMATTED, HEALTHY)
        flash = header.ljust(WORKING_AREA, ERASED) + WORKING
        return cls(flash.ljust(IMAGE_SIZE, ERASED))

    def variables(self) -> Iterator[EfiVariable]:
        """The variables, with those that were deleted."""
        at = self._store + STORE.size
        while at + VARIABLE.size <= self._end:
            start, state, flags, count, time, key, *lengths, vendor = VARIABLE.unpack_from(
                self._flash, at
            )
            begin = at + VARIABLE.size
            middle, end = begin + lengths[0], begin + sum(lengths)
            if start != VARIABLE_START or end > self._end:
                return
            name = self._flash[begin:middle].decode("utf-16-le", "replace").rstrip("\0")
            variable = EfiVariable(None, name, self._flash[middle:end], state ^ 0xFF, flags)
            variable.vendorUUID = _Stored(bytes=vendor)
            variable.monotonicCount, variable.timestamp = count, time
            variable.pubKeyIdx = key
            yield variable
            at = _aligned(end)

    def with_variables(self, variables: List[EfiVariable]) -> bytes:
        """The image with these variables only."""
        packed = b"".join(map(_packed, variables))
        begin = self._store + STORE.size
        if begin + len(packed) > self._end:
            room = self._end - begin
            raise ValueError(f"the variables have {len(packed)} bytes, and {room} fit")
        store = packed.ljust(self._end - begin, ERASED)
        return self._flash[:begin] + store + self._flash[self._end :]


def _aligned(at: int) -> int:
    return at + -at % 4


def _packed(variable: EfiVariable) -> bytes:
    name = f"{variable.name}\0".encode("utf-16-le")
    header = VARIABLE.pack(
        VARIABLE_START,
        variable.state,
        variable.flags,
        variable.monotonicCount,
        variable.timestamp,
        variable.pubKeyIdx,
        len(name),
        len(variable.data),
        variable.vendorUUID.bytes,
    )
    packed = header + name + variable.data
    return packed.ljust(_aligned(len(packed)), ERASED)


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
                file.write(_Image.empty().with_variables([]))
        except FileExistsError:
            raise RequestedAssertionFailed(
                f"{self.machine.name}: {self.state_path}, the file of EFI variables, exists already"
            ) from None

    def write(self, add: List[EfiVariable]) -> None:
        """Adds variables, which replace those of the same vendor and name. Makes the file if
        there is none."""
        image = self._image() or _Image.empty()
        variables = {(of.vendorUUID, of.name): of for of in [*self.read(), *add]}
        try:
            flash = image.with_variables(list(variables.values()))
        except (ValueError, struct.error) as error:
            raise self._error("written", error) from None
        self.state_path.write_bytes(flash)

    def _image(self) -> Optional[_Image]:
        self._assert_stopped()
        try:
            with open(self.state_path, "rb") as file:
                return _Image(file.read(MAX_IMAGE_SIZE))
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
