"""A run, from the command line to the exit code."""

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
from test_driver.failure import (
    Failure,
    exception_text,
    print_error,
    printable,
    script_stack,
    script_traceback,
)

# Seconds between the interrupts of a script that continues after its time limit. No
# interrupt must coincide with the stack dump of faulthandler.
TIMEOUT_INTERVAL = 7


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
) -> Tuple[Optional[int], Optional[Failure]]:
    """Runs a script or a prompt; returns the exit code, or None if it could not start, and
    the failure."""
    try:
        if script is not None:
            compile(Path(script).read_bytes(), script, "exec")
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        return None, Failure(printable(f"{script}{line}: {error.args[0]}"))

    threading.excepthook = _print_thread_exception
    time_up = _handle_signals(global_timeout)
    status, failure = _run(
        lambda: Driver(
            start_scripts, vlans, script or "", out_dir, keep_vm_state, templates
        ),
        interactive,
        pause_on_failure,
    )
    if time_up and status != TIMED_OUT:
        # The script caught the exception.
        status, failure = TIMED_OUT, failure or Failure("")
        message = "\n".join([*time_up, failure.message]).rstrip()
        failure = failure._replace(message=message)
    if failure is not None and not failure.message:
        failure = failure._replace(message=f"exit status {status}")
    elif failure is not None:
        print_error(failure.message)
    if junit_xml is not None:
        whole = (name, 0.0, _vmwright.elapsed(), failure)
        try:
            _vmwright.write_junit(junit_xml, name, rootlog.ended + [whole])
        except Exception as error:
            status, failure = status or FAILED, Failure.of(error, str(error))
            print_error(failure.message)
    # The interpreter is not finalised, as that would wait for all threads. Signals may
    # interrupt exit handlers, as they may the script, without changing the outcome.
    try:
        _end_by_signals()
        atexit._run_exitfuncs()
    except BaseException as error:
        print_error(exception_text(error))
    _ignore_signals()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    return status, failure


def _run(
    make_driver: Callable[[], Driver], interactive: bool, pause_on_failure: bool
) -> Tuple[int, Optional[Failure]]:
    """Returns the exit code and the failure, which has no message if the script chose the
    code."""
    try:
        with _Quiet(make_driver()) as driver:
            if interactive:
                prompt(driver, driver.test_symbols())
            elif pause_on_failure:
                _run_tests_or_pause(driver)
            else:
                driver.run_tests()
        return PASSED, None
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            # A multiple of 256 must not become 0.
            status = (error.code or 0) & 0xFF or (FAILED if error.code else PASSED)
            return status, None if status == PASSED else Failure.of(error, "")
        return FAILED, Failure.of(error, printable(str(error.code)))
    except BaseException as error:
        statuses = {
            KeyboardInterrupt: INTERRUPTED,
            Terminated: TERMINATED,
            GlobalTimeout: TIMED_OUT,
        }
        status = statuses.get(type(error), FAILED)
        return status, Failure.of(error, script_traceback(error))


def _run_tests_or_pause(driver: Driver) -> None:
    """Runs the script; if it fails, opens a prompt while its machines still run."""
    try:
        driver.run_tests()
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and not error.code:
            raise
        print_error(script_traceback(error))
        print_error("The script failed. Its machines still run.")
        # The run fails even if the user leaves the prompt by sys.exit.
        with contextlib.suppress(SystemExit):
            prompt(driver, driver.script_names)
        raise


def _print_thread_exception(failed: threading.ExceptHookArgs) -> None:
    """Prints an exception that a thread of the script did not catch."""
    if failed.exc_value is None or isinstance(failed.exc_value, SystemExit):
        return
    name = failed.thread.name if failed.thread else "?"
    print_error(f"Exception in thread {name}:\n{script_traceback(failed.exc_value)}")


class _Quiet:
    """Cleans up a driver without being interrupted by signals; after a failure, takes
    screenshots of the machines first."""

    def __init__(self, driver: Driver):
        self._driver = driver

    def __enter__(self) -> Driver:
        return self._driver

    def __exit__(self, _: Any, error: Optional[BaseException], *__: Any) -> None:
        _ignore_signals()
        is_exit = isinstance(error, SystemExit) and not error.code
        if error is not None and not is_exit:
            self._driver.take_last_screenshots()
        self._driver.__exit__()


def _end_by_signals() -> None:
    """Raises an exception on Ctrl-C and on SIGTERM."""

    def terminated(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _handle_signals(global_timeout: Optional[float]) -> List[str]:
    """Installs the handlers, and starts the timer if there is a time limit. When it
    expires, the script's stack is added to the returned list."""
    time_up: List[str] = []

    def timed_out(_number: int, frame: Optional[FrameType]) -> NoReturn:
        error = GlobalTimeout(f"the run took longer than {global_timeout:g} seconds")
        if not time_up:
            time_up.extend([f"{error}; it was at", script_stack(frame)])
        raise error

    _end_by_signals()
    signal.signal(signal.SIGALRM, timed_out)
    # Interrupts system calls of the main thread, so that Python runs the other handlers.
    signal.signal(signal.SIGURG, lambda *_: None)
    wakeup_fd = _vmwright.wakeup_fd(signal.SIGURG)
    signal.set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)
    if global_timeout:
        rootlog.info(f"Test will time out and terminate in {global_timeout:g} seconds")
        signal.setitimer(signal.ITIMER_REAL, global_timeout, TIMEOUT_INTERVAL)
        # Prints the stacks of a script that still has not ended, before the process is
        # killed.
        faulthandler.dump_traceback_later(global_timeout + _vmwright.CLEAN_UP_SECONDS)
    return time_up
