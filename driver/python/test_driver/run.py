"""A run, from the command line to the exit status."""

import atexit
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, Callable, List, NoReturn, Optional, Tuple

import _vmwright
from test_driver.driver import Driver
from test_driver.errors import GlobalTimeout, Terminated
from test_driver.logger import rootlog
from test_driver.prompt import prompt

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
    junit_xml: Optional[Path],
) -> int:
    """Runs a script, or a prompt: the exit status."""
    try:
        if script is not None:
            compile(Path(script).read_bytes(), script, "exec")
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        print(f"error: {script}{line}: {error.args[0]}", file=sys.stderr)
        return USAGE

    began = time.monotonic()
    _handle_signals(global_timeout)
    status, story = _run(
        lambda: Driver(start_scripts, vlans, script or "", out_dir, keep_vm_state),
        interactive,
    )
    if story:
        print(story, file=sys.stderr)
    if junit_xml is not None:
        name = Path(script or "prompt").stem
        wrong = None if status == 0 else story or f"exit status {status}"
        cases = rootlog.ended + [(name, time.monotonic() - began, wrong)]
        _vmwright.write_junit(junit_xml, name, cases)
    # This interpreter is not finalised, as threads may wait for anything.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    return status


def _run(make_driver: Callable[[], Driver], interactive: bool) -> Tuple[int, str]:
    """The exit status, and what there is to say of it."""
    try:
        with _Quiet(make_driver()) as driver:
            if interactive:
                prompt(driver)
            else:
                driver.run_tests()
        return 0, ""
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF, ""
        return FAILED, str(error.code)
    except BaseException as error:
        statuses = {
            KeyboardInterrupt: INTERRUPTED,
            Terminated: TERMINATED,
            GlobalTimeout: TIMED_OUT,
        }
        return statuses.get(type(error), FAILED), _story(error)


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
