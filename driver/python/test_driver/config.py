"""The settings of a run."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

import _vmwright
from _vmwright import TIMED_OUT
from test_driver.logger import LogLevel
from test_driver.start_command import CloudImage, Kernel, NixStartScript, StartCommand


class VMConfiguration(NamedTuple):
    """A virtual machine of a run."""

    name: str
    # One of them.
    start_script: Optional[Path] = None
    image: Optional[Path] = None
    kernel: Optional[Path] = None

    def start_command(self) -> StartCommand:
        if self.image is not None:
            return CloudImage(self.image)
        if self.kernel is not None:
            return Kernel(self.kernel)
        return NixStartScript(str(self.start_script))


class ContainerConfiguration(NamedTuple):
    """A container of a run."""

    name: str
    # Or its root directory.
    start_script: Path


class DriverConfiguration(NamedTuple):
    """What a run consists of: `driver.config` in scripts."""

    # By name.
    vms: Dict[str, VMConfiguration]
    vlans: List[int]
    # None for a prompt without a script.
    test_script: Optional[Path]
    global_timeout: Optional[timedelta]
    enable_ssh_backdoor: bool
    # By name.
    containers: Dict[str, ContainerConfiguration] = {}

    @classmethod
    def of(cls, native: Dict[str, Any]) -> "DriverConfiguration":
        """From a dictionary of Rust's, from which it takes its part."""
        machines = native.pop("machines")
        vms = {}
        containers = {}
        for name, kind, file in machines:
            if kind == "container":
                containers[name] = ContainerConfiguration(name, file)
            else:
                vms[name] = VMConfiguration(name, **{kind: file})
        seconds = native.pop("global_timeout")
        limit = None if seconds is None else timedelta(seconds=seconds)
        rest = {name: native.pop(name) for name in cls._fields if name in native}
        return cls(vms, global_timeout=limit, containers=containers, **rest)


def load_driver_configuration(file_path: Union[str, Path]) -> DriverConfiguration:
    """Reads the file of the option --config. Raises ValueError if it is invalid."""
    return DriverConfiguration.of(_vmwright.read_configuration(Path(file_path)))


class Settings(NamedTuple):
    """How a run is done, from the command line."""

    # The name of the run in reports.
    name: str
    config: DriverConfiguration
    out_dir: Path
    keep_machine_state: bool = False
    templates: Optional[Path] = None
    interactive: bool = False
    pause_on_failure: bool = False
    # The exit status if the time limit expires.
    timed_out_status: int = TIMED_OUT
    log_level: int = LogLevel.INFO
    junit_xml: Optional[Path] = None
    debug_hook_attach: Optional[str] = None
    # If it is not 0, the machines' vsock context identifiers begin after it.
    dump_vsocks: int = 0

    @classmethod
    def of(cls, native: Dict[str, Any]) -> "Settings":
        """From the dictionary that Rust makes of the command line."""
        return cls(config=DriverConfiguration.of(native), **native)
