"""A run, from the command line to the exit status."""

import atexit
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, List, NoReturn, Optional

import _vmwright
from test_driver.driver import Driver
from test_driver.errors import GlobalTimeout, Terminated
from test_driver.logger import rootlog

FAILED = 1
USAGE = 2
TIMED_OUT = 124
INTERRUPTED = 130
TERMINATED = 143

# What the file names of this package begin with, as Rust gives them to it.
OURS = "<test_driver/"


def run(
    start_scripts: List[str],
    vlans: List[int],
    script: Optional[str],
    out_dir: Path,
    keep_vm_state: bool,
    interactive: bool,
    global_timeout: Optional[float],
) -> int:
    """Runs a script, or a prompt: the exit status."""
    try:
        if script is not None:
            compile(Path(script).read_bytes(), script, "exec")
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        return _say(f"error: {script}{line}: {error.args[0]}", USAGE)

    _handle_signals(global_timeout)
    try:
        with _Quiet(Driver(start_scripts, vlans, script or "", out_dir, keep_vm_state)) as driver:
            if interactive:
                from test_driver.prompt import prompt

                return prompt(driver)
            driver.run_tests()
            return 0
    except SystemExit as error:
        return _status(error.code)
    except BaseException as error:
        statuses = {
            KeyboardInterrupt: INTERRUPTED,
            Terminated: TERMINATED,
            GlobalTimeout: TIMED_OUT,
        }
        return _say(_story(error), statuses.get(type(error), FAILED))
    finally:
        # This interpreter is not finalised, as threads may wait for anything.
        atexit._run_exitfuncs()
        sys.stdout.flush()


class _Quiet:
    """A driver whose clean-up no signal interrupts."""

    def __init__(self, driver: Driver):
        self._driver = driver

    def __enter__(self) -> Driver:
        return self._driver

    def __exit__(self, *_: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        self._driver.__exit__()


def _handle_signals(global_timeout: Optional[float]) -> None:
    def terminated(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise Terminated

    def timed_out(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise GlobalTimeout(f"the run took longer than {global_timeout:g} seconds")

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGALRM, timed_out)
    # Ends whatever Rust waits for, so that Python sees to it.
    signal.set_wakeup_fd(_vmwright.wakeup_fd(), warn_on_full_buffer=False)
    if global_timeout:
        rootlog.info(f"Test will time out and terminate in {global_timeout:g} seconds")
        signal.setitimer(signal.ITIMER_REAL, global_timeout)


def _story(error: BaseException) -> str:
    """The traceback, without what is not the script's."""
    story = traceback.TracebackException.from_exception(error)
    _leave_out_ours(story)
    # Nothing of the script's has begun where a machine can't be made.
    lines = story.format() if story.stack else story.format_exception_only()
    return "".join(lines).rstrip()


def _leave_out_ours(story: Optional[traceback.TracebackException]) -> None:
    if story is None:
        return
    frames = [frame for frame in story.stack if not frame.filename.startswith(OURS)]
    story.stack = traceback.StackSummary.from_list(frames)
    _leave_out_ours(story.__cause__)
    _leave_out_ours(story.__context__)


def _status(code: Any) -> int:
    """The exit status of `sys.exit(code)`."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    return _say(str(code), FAILED)


def _say(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status
