"""A run, from the command line to the exit code."""

import atexit
import contextlib
import sys
import threading
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from _vmwright import FAILED, INTERRUPTED, PASSED, TERMINATED
from test_driver import signals, subtests, threads
from test_driver.config import DriverConfiguration, Settings
from test_driver.debug import Debug, DebugAbstract, DebugNop
from test_driver.driver import Driver
from test_driver.errors import GlobalTimeout, Terminated
from test_driver.failure import (
    Failure,
    exception_text,
    print_error,
    printable,
    script_traceback,
)
from test_driver.logger import rootlog
from test_driver.prompt import prompt
from test_driver.symbols import conflict


class Ended(NamedTuple):
    """The end of a run."""

    # None if the run could not start.
    status: Optional[int]
    # passed, failed, cancelled or timed_out.
    outcome: str
    # Its message is empty if the script chose the exit code.
    failure: Optional[Failure]
    # A line for the end of the summary.
    note: Optional[str] = None


def run(native_settings: Dict[str, Any]) -> Ended:
    """Runs a script or a prompt."""
    settings = Settings.of(native_settings)
    rootlog.set_log_level(settings.log_level)
    driver = _driver(settings)
    problem = _syntax_error(settings.config.test_script) or conflict(driver)
    if problem is not None:
        return Ended(None, "failed", Failure(printable(problem).replace("\n", "\\n")))
    threading.excepthook = threads.print_exception
    signals.handle()
    ended = _in_time(driver, _run(driver, settings))
    if ended.failure is not None:
        message = ended.failure.message or f"exit status {ended.status}"
        if ended.failure.message:
            print_error(message)
        ended = ended._replace(failure=ended.failure._replace(message=message))
    ended = _report(settings, ended)
    _finish()
    script = settings.config.test_script
    if ended.failure is not None and script is not None and not settings.interactive:
        ended = ended._replace(note=subtests.note_on_others(script))
    return ended


def driver_symbols() -> str:
    """The names that every script has, separated by commas."""
    config = DriverConfiguration({}, [], None, None, False)
    return ",".join(Driver(config, Path()).test_symbols())


def _driver(settings: Settings) -> Driver:
    debug: DebugAbstract = DebugNop()
    if settings.debug_hook_attach is not None:
        debug = Debug(rootlog, settings.debug_hook_attach)
    return Driver(
        settings.config,
        settings.out_dir,
        rootlog,
        settings.keep_machine_state,
        debug,
        settings.interactive,
        timed_out_status=settings.timed_out_status,
        templates=settings.templates,
        dump_vsocks=settings.dump_vsocks,
    )


def _syntax_error(script: Optional[Path]) -> Optional[str]:
    if script is None:
        return None
    text = script.read_bytes()
    if b"\0" in text:
        line = text[: text.index(b"\0")].count(b"\n") + 1
        return f"{script}:{line}: the script contains a NUL character"
    try:
        compile(text, str(script), "exec")
    except SyntaxError as error:
        return f"{script}:{error.lineno}: {error.msg}"
    except ValueError as error:
        return f"{script}: {error}"
    return None


def _run(driver: Driver, settings: Settings) -> Ended:
    """Its failure has no message if the script chose the exit code."""
    try:
        with _Quiet(driver):
            driver.dump_machine_ssh()
            if settings.interactive:
                prompt(driver, driver.test_symbols())
            elif settings.pause_on_failure:
                _run_tests_or_pause(driver)
            else:
                driver.run_tests()
        return Ended(PASSED, "passed", None)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            # A multiple of 256 must not become 0.
            status = (error.code or 0) & 0xFF or (FAILED if error.code else PASSED)
            if status == PASSED:
                return Ended(PASSED, "passed", None)
            return Ended(status, "failed", Failure.of(error, ""))
        return Ended(FAILED, "failed", Failure.of(error, printable(str(error.code))))
    except BaseException as error:
        status, outcome = {
            KeyboardInterrupt: (INTERRUPTED, "cancelled"),
            Terminated: (TERMINATED, "cancelled"),
            GlobalTimeout: (settings.timed_out_status, "timed_out"),
        }.get(type(error), (FAILED, "failed"))
        return Ended(status, outcome, Failure.of(error, script_traceback(error)))


def _in_time(driver: Driver, ended: Ended) -> Ended:
    """The end of a run that may have caught the exception of its time limit."""
    expired = driver.race_timer.expired
    if not expired or ended.outcome == "timed_out":
        return ended
    failure = ended.failure or Failure("")
    message = "\n".join([*expired, failure.message]).rstrip()
    status = driver.race_timer.exit_status
    return Ended(status, "timed_out", failure._replace(message=message))


def _report(settings: Settings, ended: Ended) -> Ended:
    """Writes the JUnit report, if requested."""
    try:
        if settings.junit_xml is not None:
            subtests.write_junit(settings.junit_xml, settings.name, ended.failure)
    except Exception as error:
        print_error(str(error))
        status = ended.status or FAILED
        return Ended(status, "failed", Failure.of(error, str(error)))
    return ended


def _finish() -> None:
    """Runs exit handlers. The interpreter is not finalised, as that would wait for all
    threads. Signals may interrupt exit handlers, as they may the script, without changing
    the outcome."""
    try:
        signals.end_run()
        atexit._run_exitfuncs()
    except BaseException as error:
        print_error(exception_text(error))
    signals.ignore()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()


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


class _Quiet:
    """Cleans up a driver without being interrupted by signals; after a failure, takes
    screenshots of the machines first."""

    def __init__(self, driver: Driver):
        self._driver = driver

    def __enter__(self) -> None:
        self._driver.__enter__()

    def __exit__(self, _: Any, error: Optional[BaseException], *__: Any) -> None:
        signals.ignore()
        with threads.cancelled():
            is_exit = isinstance(error, SystemExit) and not error.code
            if error is not None and not is_exit:
                self._driver.take_last_screenshots()
            self._driver.__exit__()
