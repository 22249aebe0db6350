"""How a machine's QEMU is started."""

import re
from pathlib import Path
from typing import Any, Dict, Optional, Tuple


class StartCommand:
    """A command that starts QEMU, and takes more arguments for it."""

    _cmd: str

    def _native(self) -> Dict[str, Any]:
        """What the driver makes of it."""
        return {"command": self._cmd}


class NixStartScript(StartCommand):
    """A start script named `run-NAME-vm`, or another line of the shell's."""

    def __init__(self, script: str):
        self._cmd = str(script)

    @property
    def machine_name(self) -> str:
        match = re.search(r"run-([^/\n]+)-vm$", self._cmd)
        return match.group(1) if match else "machine"


class LegacyStartCommand(StartCommand):
    """QEMU's command line put together from a few arguments."""

    def __init__(
        self,
        netBackendArgs: Optional[str] = None,
        netFrontendArgs: Optional[str] = None,
        hda: Optional[Tuple[Path, str]] = None,
        cdrom: Optional[str] = None,
        usb: Optional[str] = None,
        bios: Optional[str] = None,
        qemuBinary: Optional[str] = None,
        qemuFlags: Optional[str] = None,
    ):
        self._cmd = qemuBinary or "qemu-kvm"
        self._args = {
            "net_backend_args": netBackendArgs,
            "net_frontend_args": netFrontendArgs,
            "hda": hda and (str(hda[0].resolve()), hda[1]),
            "cdrom": cdrom,
            "usb": usb,
            "bios": bios,
            "qemu_binary": qemuBinary,
            "qemu_flags": qemuFlags,
        }

    def _native(self) -> Dict[str, Any]:
        return {"legacy": {k: v for k, v in self._args.items() if v is not None}}


# Scripts have them from there, as upstream.
for _command in (StartCommand, NixStartScript, LegacyStartCommand):
    _command.__module__ = "test_driver.machine"
