"""The settings of a run, from the command line."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from _vmwright import TIMED_OUT
from test_driver.logger import LogLevel


class VMConfiguration(NamedTuple):
    """A virtual machine of a run."""

    name: str
    start_script: Path


class DriverConfiguration(NamedTuple):
    """What a run consists of: `driver.config` in scripts."""

    # By name.
    vms: Dict[str, VMConfiguration]
    vlans: List[int]
    # None for a prompt without a script.
    test_script: Optional[Path]
    # In seconds.
    global_timeout: Optional[float]
    enable_ssh_backdoor: bool
    # They are not supported, so there are none.
    containers: Dict[str, Any] = {}


class Settings(NamedTuple):
    """How a run is done."""

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
        machines, config = native.pop("machines"), {}
        for name in ("vlans", "test_script", "global_timeout", "enable_ssh_backdoor"):
            config[name] = native.pop(name)
        vms = {name: VMConfiguration(name, script) for name, script in machines}
        return cls(config=DriverConfiguration(vms, **config), **native)
