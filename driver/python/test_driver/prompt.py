"""An interactive prompt with all names of a script."""

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
machines: {machines}
start_all() starts them, test_script() runs the script. shell_interact() and
console_interact() of a machine open its shell and console. Ctrl-D leaves."""


def prompt(driver: Driver, names: Dict[str, Any]) -> None:
    """Reads and runs lines of Python with `names` defined, until the user leaves."""
    symbols = {"__name__": "__main__", **names}
    # `log.error` must not end the prompt.
    rootlog.exit_on_error = False
    machines = ", ".join(machine.name for machine in driver.machines)
    history = _edit_lines(symbols)
    try:
        banner = BANNER.format(machines=machines or "none")
        _Console(symbols).interact(banner, exitmsg="")
    finally:
        if history is not None:
            _save_history(history)


class _Console(code.InteractiveConsole):
    """A prompt that continues after all exceptions, except those that end the run."""

    def runcode(self, code: CodeType) -> None:
        try:
            exec(code, self.locals)
        except (SystemExit, GlobalTimeout, Terminated):
            raise
        except BaseException as error:
            self.write(script_traceback(error) + "\n")


def _edit_lines(symbols: Dict[str, Any]) -> Any:
    """Enables completion by Tab, and loads the history of earlier runs."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        # A Python without readline still reads lines.
        return None
    readline.set_completer(rlcompleter.Completer(symbols).complete)
    readline.parse_and_bind("tab: complete")
    try:
        readline.read_history_file(_history_file())
    except (OSError, RuntimeError):
        pass  # There is no history yet, or no home directory.
    return readline


def _save_history(readline: Any) -> None:
    try:
        _history_file().parent.mkdir(parents=True, exist_ok=True)
        readline.set_history_length(1000)
        readline.write_history_file(_history_file())
    except (OSError, RuntimeError):
        pass


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "vmwright" / "driver-history"
