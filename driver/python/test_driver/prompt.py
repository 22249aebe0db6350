"""A prompt with all names of a script's."""

import code
import os
from pathlib import Path
from types import CodeType
from typing import Any, Dict

from test_driver.driver import Driver
from test_driver.errors import GlobalTimeout, Terminated
from test_driver.logger import rootlog
from test_driver.failure import script_traceback

BANNER = """\
{machines}
start_all() starts them, test_script() runs the script; a machine's shell_interact()
and console_interact() are for you; Ctrl-D leaves."""


def prompt(driver: Driver, names: Dict[str, Any]) -> None:
    """Reads and runs lines, which know the names, until somebody leaves."""
    symbols = {"__name__": "__main__", **names}
    # Nothing is left to be ended by an error that somebody looks at.
    rootlog.exit_on_error = False
    machines = ", ".join(machine.name for machine in driver.machines)
    history = _edit_lines(symbols)
    try:
        _Console(symbols).interact(
            BANNER.format(machines=f"machines: {machines or 'none'}"), exitmsg=""
        )
    finally:
        if history is not None:
            _keep(history)


class _Console(code.InteractiveConsole):
    """A prompt that survives all errors, except the end of the run."""

    def runcode(self, code: CodeType) -> None:
        try:
            exec(code, self.locals)
        except (SystemExit, GlobalTimeout, Terminated):
            raise
        except BaseException as error:
            self.write(script_traceback(error) + "\n")


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
    except (OSError, RuntimeError):
        pass  # There is none, or nowhere to have one.
    return readline


def _keep(readline: Any) -> None:
    try:
        _history_file().parent.mkdir(parents=True, exist_ok=True)
        readline.set_history_length(1000)
        readline.write_history_file(_history_file())
    except (OSError, RuntimeError):
        pass


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "vmwright" / "driver-history"
