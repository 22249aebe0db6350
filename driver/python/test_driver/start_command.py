"""Commands that start a machine's QEMU."""

import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union


class StartCommand:
    """A command that starts QEMU with the arguments appended to it."""

    _cmd: str

    @property
    def machine_name(self) -> str:
        """The machine's name, if a start script of NixOS has it in its own name."""
        match = re.search(r"run-([^/\n]+)-vm$", self._cmd)
        return match.group(1) if match else "machine"

    def _native(self) -> Dict[str, Any]:
        """The description that `_vmwright.Machine` expects."""
        return {"command": self._cmd}


class NixStartScript(StartCommand):
    """A start script named `run-NAME-vm`, or another shell command."""

    def __init__(self, script: str):
        self._cmd = str(script)


class Container(StartCommand):
    """The start script of a container, or its root; the networks that it is on, and the names on
    them."""

    def __init__(self, path: Union[str, Path], vlans: List[Any], nodes: List[str]):
        self._cmd = str(path)
        self._vlans = vlans
        self._nodes = nodes

    def _native(self) -> Dict[str, Any]:
        return {"container": self._cmd, "vlans": self._vlans, "nodes": self._nodes}


class LegacyStartCommand(StartCommand):
    """A QEMU command line made of a few arguments."""

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


class FileStartCommand(StartCommand):
    """A machine that starts from a file for which the driver writes QEMU's command line."""

    # The key of the description that `_vmwright.Machine` expects.
    _key: str

    def __init__(self, file: Union[str, Path]):
        self._cmd = str(Path(file).resolve())

    @property
    def machine_name(self) -> str:
        """The file's name without its extension, if it can be a host name."""
        stem = Path(self._cmd).stem
        return stem if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", stem) else "machine"

    def _native(self) -> Dict[str, Any]:
        return {self._key: self._cmd, "name": self.machine_name}


class CloudImage(FileStartCommand):
    """A cloud image, or another disk with systemd, which is not changed."""

    _key = "image"


class Kernel(FileStartCommand):
    """A Linux kernel with this host's root directory."""

    _key = "kernel"


# The NixOS test driver defines them in this module.
for _command in (StartCommand, NixStartScript, LegacyStartCommand):
    _command.__module__ = "test_driver.machine"
