"""Variables of EFI firmware, and their vendors."""

from typing import Optional
from uuid import UUID


class StoredUUID(UUID):
    """A vendor as `EfiVariable.vendorUUID` has it: the bytes of the file, read as a UUID."""

    @classmethod
    def of(cls, vendor: UUID) -> "StoredUUID":
        return vendor if isinstance(vendor, cls) else cls(bytes=vendor.bytes_le)


class EfiGuid:
    """Well-known vendors."""

    gEdkiiVarErrorFlagGuid = StoredUUID.of(UUID("04b37fe8-f6ae-480b-bdd5-37d98c5e89aa"))
    gEfiAuthenticatedVariableGuid = StoredUUID.of(UUID("aaf32c78-947b-439a-a180-2e144ec37792"))
    gEfiCertDbGuid = StoredUUID.of(UUID("d9bee56e-75dc-49d9-b4d7-b534210f637a"))
    gEfiCustomModeEnableGuid = StoredUUID.of(UUID("c076ec0c-7028-4399-a072-71ee5c448b9f"))
    gEfiGlobalVariableGuid = StoredUUID.of(UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c"))
    gEfiIScsiInitiatorNameProtocolGuid = StoredUUID.of(UUID("59324945-ec44-4c0d-b1cd-9db139df070c"))
    gEfiImageSecurityDatabaseGuid = StoredUUID.of(UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f"))
    gEfiIp4Config2ProtocolGuid = StoredUUID.of(UUID("5b446ed1-e30b-4faa-871a-3654eca36080"))
    gEfiMemoryTypeInformationGuid = StoredUUID.of(UUID("4c19049f-4137-4dd3-9c10-8b97a83ffdfa"))
    gEfiSecureBootEnableDisableGuid = StoredUUID.of(UUID("f0a30bc7-af08-4556-99c4-001009c93a44"))
    gEfiSystemNvDataFvGuid = StoredUUID.of(UUID("fff12b8d-7696-4c8b-a985-2747075b4f50"))
    gEfiVendorKeysNvGuid = StoredUUID.of(UUID("9073e4e0-60ec-4b6e-9903-4c223c260f3c"))
    gIScsiConfigGuid = StoredUUID.of(UUID("4b47d616-a8d6-4552-9d44-ccad2e0f4cf9"))
    gMicrosoftVendorGuid = StoredUUID.of(UUID("77fa9abd-0359-4d32-bd60-28f4e78f784b"))
    gMtcVendorGuid = StoredUUID.of(UUID("eb704011-1402-11d3-8e77-00a0c969723b"))
    mBmHardDriveBootVariableGuid = StoredUUID.of(UUID("fab7e9e1-39dd-4f2b-8408-e20e906cb6de"))


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
        self.vendorUUID: UUID = StoredUUID.of(vendor_uuid or UUID(int=0))
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
