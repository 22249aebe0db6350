"""EDK2's flash images, which have the variables of EFI firmware.

An image is a firmware volume (its header, then a store of variables, then areas in which the
firmware prepares changes) as described in EDK2's `VarStore.fdf.inc` and
`AuthenticatedVariableFormat.h`. Erased flash has all bits set; a variable's state is the bits
that were cleared since.
"""

import struct
from typing import Iterator, List
from uuid import UUID

from test_driver.efi_variable import EfiGuid, EfiVariable, StoredUUID

ERASED = b"\xff"

# The size of a new image, as of OVMF's with 4 MiB: the store, the event log and the working
# area of the firmware, and as much again for copies of them.
IMAGE_SIZE, BLOCK_SIZE = 0x84000, 0x1000
STORE_AREA, WORKING_AREA = 0x40000, 0x41000

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


class Image:
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
    def empty(cls) -> "Image":
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
            variable.vendorUUID = StoredUUID(bytes=vendor)
            variable.monotonicCount, variable.timestamp = count, time
            variable.pubKeyIdx = key
            yield variable
            at = _aligned(end)

    def with_variables(self, variables: List[EfiVariable]) -> bytes:
        """The image with these variables only."""
        packed = b"".join(map(_packed, variables))
        begin = self._store + STORE.size
        if begin + len(packed) > self._end:
            space = self._end - begin
            raise ValueError(f"the variables have {len(packed)} bytes, and {space} fit")
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
