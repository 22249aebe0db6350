"""A prompt with all names of a script's."""

import code
import os
import sys
from pathlib import Path
from typing import Any, Dict

from test_driver.driver import Driver
from test_driver.errors import GlobalTimeout, Terminated

BANNER = """\
{machines}
start_all() starts them, test_script() runs the script; a machine's shell_interact()
and console_interact() are for you; Ctrl-D leaves."""


def prompt(driver: Driver) -> None:
    """Reads and runs lines until somebody leaves."""
    symbols = driver.test_symbols()
    names = ", ".join(machine.name for machine in driver.machines)
    history = _edit_lines(symbols)
    try:
        _Prompt({"__name__": "__main__", **symbols}).interact(
            BANNER.format(machines=f"machines: {names or 'none'}"), exitmsg=""
        )
    finally:
        if history is not None:
            _keep(history)


class _Prompt(code.InteractiveConsole):
    """Survives what goes wrong in a line, but not what ends the driver."""

    def showtraceback(self) -> None:
        if isinstance(sys.exc_info()[1], (GlobalTimeout, Terminated)):
            raise
        super().showtraceback()


def _edit_lines(symbols: Dict[str, Any]) -> Any:
    """Completion by Tab, and the history of earlier runs."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        # A Python without it reads lines all the same.
        return None
    readline.set_completer(rlcompleter.Completer(symbols).complete)
    readline.parse_and_bind("tab: complete")
    try:
        readline.read_history_file(_history_file())
    except OSError:
        pass
    return readline


def _keep(readline: Any) -> None:
    try:
        _history_file().parent.mkdir(parents=True, exist_ok=True)
        readline.set_history_length(1000)
        readline.write_history_file(_history_file())
    except OSError:
        pass


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "vmwright" / "driver-history"
