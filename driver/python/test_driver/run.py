"""A run, from the command line to the exit status."""

import atexit
import contextlib
import faulthandler
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Callable, List, NoReturn, Optional, Tuple

import _vmwright
from _vmwright import FAILED, INTERRUPTED, PASSED, TERMINATED, TIMED_OUT
from test_driver.driver import Driver
from test_driver.errors import GlobalTimeout, Terminated
from test_driver.logger import rootlog
from test_driver.prompt import prompt
from test_driver.failure import gist, printable, story, tell, where

# How often a script that goes on after its time is interrupted again, in seconds; not at the
# moment when faulthandler tells of its threads, which can't bear that they change meanwhile.
AGAIN = 7


def run(
    start_scripts: List[str],
    vlans: List[int],
    script: Optional[str],
    out_dir: Path,
    keep_vm_state: bool,
    templates: Optional[Path],
    interactive: bool,
    pause_on_failure: bool,
    global_timeout: Optional[float],
    junit_xml: Optional[Path],
    name: str,
) -> Tuple[Optional[int], str]:
    """Runs a script, or a prompt: the exit status, and what went wrong; None if nothing
    can begin."""
    try:
        if script is not None:
            compile(Path(script).read_bytes(), script, "exec")
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        return None, printable(f"{script}{line}: {error.args[0]}")

    threading.excepthook = _tell_of_thread
    time_up = _handle_signals(global_timeout)
    status, wrong = _run(
        lambda: Driver(
            start_scripts, vlans, script or "", out_dir, keep_vm_state, templates
        ),
        interactive,
        pause_on_failure,
    )
    if time_up and status != TIMED_OUT:
        # The script has caught what was to end it.
        status, wrong = TIMED_OUT, "\n".join(time_up + [wrong]).rstrip()
    if status != PASSED and not wrong:
        wrong = f"exit status {status}"
    elif wrong:
        tell(wrong)
    if junit_xml is not None:
        whole = (name, 0.0, _vmwright.elapsed(), wrong or None)
        try:
            _vmwright.write_junit(junit_xml, name, rootlog.ended + [whole])
        except Exception as error:
            status, wrong = status or FAILED, str(error)
            tell(wrong)
    # This interpreter is not finalised, as threads may wait for anything. What the script
    # wants done at its end may be ended as the script may, and changes no verdict.
    try:
        _end_by_signals()
        atexit._run_exitfuncs()
    except BaseException as error:
        tell(gist(error))
    _ignore_signals()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    return status, wrong


def _run(
    make_driver: Callable[[], Driver], interactive: bool, pause_on_failure: bool
) -> Tuple[int, str]:
    """The exit status, and what there is to say of it."""
    try:
        with _Quiet(make_driver()) as driver:
            if interactive:
                prompt(driver, driver.test_symbols())
            elif pause_on_failure:
                _run_tests_or_pause(driver)
            else:
                driver.run_tests()
        return PASSED, ""
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            # A multiple of 256 is no success.
            return (error.code or 0) & 0xFF or (FAILED if error.code else PASSED), ""
        return FAILED, printable(str(error.code))
    except BaseException as error:
        statuses = {
            KeyboardInterrupt: INTERRUPTED,
            Terminated: TERMINATED,
            GlobalTimeout: TIMED_OUT,
        }
        return statuses.get(type(error), FAILED), story(error)


def _run_tests_or_pause(driver: Driver) -> None:
    """Runs the script; if it fails, somebody may look at its machines before they go."""
    try:
        driver.run_tests()
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and not error.code:
            raise
        tell(story(error))
        tell("The script has failed, and its machines wait.")
        # However somebody leaves the prompt, it has failed.
        with contextlib.suppress(SystemExit):
            prompt(driver, driver.script_names)
        raise


def _tell_of_thread(failed: threading.ExceptHookArgs) -> None:
    """Tells of what a thread of the script's did not catch."""
    if failed.exc_value is None or isinstance(failed.exc_value, SystemExit):
        return
    name = failed.thread.name if failed.thread else "?"
    tell(f"Exception in thread {name}:\n{story(failed.exc_value)}")


class _Quiet:
    """A driver whose clean-up no signal interrupts. After a failure it has pictures of the
    machines taken first."""

    def __init__(self, driver: Driver):
        self._driver = driver

    def __enter__(self) -> Driver:
        return self._driver

    def __exit__(self, _: Any, error: Optional[BaseException], *__: Any) -> None:
        _ignore_signals()
        is_exit = isinstance(error, SystemExit) and not error.code
        if error is not None and not is_exit:
            self._driver.take_last_pictures()
        self._driver.__exit__()


def _end_by_signals() -> None:
    """Has Ctrl-C and SIGTERM end what runs."""

    def terminated(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _handle_signals(global_timeout: Optional[float]) -> List[str]:
    """Gives a list that is filled when the time is up, with where the script was."""
    time_up: List[str] = []

    def timed_out(_number: int, frame: Optional[FrameType]) -> NoReturn:
        error = GlobalTimeout(f"the run took longer than {global_timeout:g} seconds")
        if not time_up:
            time_up.extend([f"{error}; it was at", where(frame)])
        raise error

    _end_by_signals()
    signal.signal(signal.SIGALRM, timed_out)
    # Ends whatever Rust waits for, so that Python sees to it.
    signal.signal(signal.SIGURG, lambda *_: None)
    wakeup_fd = _vmwright.wakeup_fd(signal.SIGURG)
    signal.set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)
    if global_timeout:
        rootlog.info(f"Test will time out and terminate in {global_timeout:g} seconds")
        signal.setitimer(signal.ITIMER_REAL, global_timeout, AGAIN)
        # The last word on a run that does not end: the process is ended, then.
        faulthandler.dump_traceback_later(global_timeout + _vmwright.CLEAN_UP_SECONDS)
    return time_up
