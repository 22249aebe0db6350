"""The log of machines and scripts, on standard error."""

import sys
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import _vmwright
from test_driver.errors import Cancelled, Terminated
from test_driver.failure import Failure, exception_text, script_traceback, utf8


class LogLevel(IntEnum):
    """The severity of a log message."""

    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4


class Logger:
    """The log: `log` in scripts."""

    def __init__(self) -> None:
        # Whether `error` ends the test.
        self.exit_on_error = True
        # Messages below it are dropped.
        self._level = LogLevel.INFO
        # The finished subtests: name, start and end in seconds since the start of the run,
        # and the failure, if any.
        self.ended: List[Tuple[str, float, float, Optional[Failure]]] = []

    def log(self, message: str, attributes: Dict[str, str] = {}) -> None:
        """Logs `message`, under the name of the `machine` in `attributes`, if any."""
        _vmwright.log("info", utf8(message), attributes.get("machine"))

    def debug(self, *args, **kwargs) -> None:  # type: ignore
        if self._level <= LogLevel.DEBUG:
            self.log(*args, **kwargs)

    def info(self, *args, **kwargs) -> None:  # type: ignore
        if self._level <= LogLevel.INFO:
            self.log(*args, **kwargs)

    def warning(self, message: str, attributes: Dict[str, str] = {}) -> None:
        if self._level <= LogLevel.WARNING:
            _vmwright.log("warning", utf8(message), attributes.get("machine"))

    def error(self, *args, **kwargs) -> None:  # type: ignore
        """Logs an error and ends the test."""
        self.log_test_error(*args, **kwargs)
        if self.exit_on_error:
            sys.exit(1)

    def log_test_error(self, message: str, attributes: Dict[str, str] = {}) -> None:
        _vmwright.log("error", utf8(message), attributes.get("machine"))

    def set_log_level(self, level: int) -> None:
        """Drops messages below `level` from now on."""
        self._level = LogLevel(level)

    def log_serial(self, message: str, machine: str) -> None:
        """Logs `message` as a line of a machine's console."""
        _vmwright.log("serial", utf8(message), machine)

    def print_serial_logs(self, enable: bool) -> None:
        """Shows or hides the lines of all consoles."""
        _vmwright.show_serial(enable)

    @contextmanager
    def nested(self, message: str, attributes: Dict[str, str] = {}) -> Iterator[Any]:
        """Logs the start and end of a group of steps, with its duration."""
        with self._step(message, attributes, "nested", exception_text) as step:
            yield step

    @contextmanager
    def script(self) -> Iterator[None]:
        """The step of the script itself. Its failure is logged with a traceback."""
        with self._step("run the VM test script", {}, "script", _script_failure):
            yield

    @contextmanager
    def subtest(self, name: str, attributes: Dict[str, str] = {}) -> Iterator[None]:
        """A named part of the test."""
        start = _vmwright.elapsed()
        failure = None
        try:
            with self._step(f"subtest: {name}", attributes, "subtest", exception_text):
                yield
        except BaseException as error:
            if _outcome(error) != _vmwright.STEP_OK:
                failure = Failure.of(error, exception_text(error))
            raise
        finally:
            self.ended.append((utf8(name), start, _vmwright.elapsed(), failure))

    @contextmanager
    def _step(
        self,
        what: str,
        attributes: Dict[str, str],
        kind: str,
        describe: Callable[[BaseException], str],
    ) -> Iterator[Any]:
        step = _vmwright.Step(utf8(what), kind, attributes.get("machine"))
        step.enter()
        try:
            yield step
        except BaseException as error:
            outcome = _outcome(error)
            is_ok = outcome == _vmwright.STEP_OK
            step.exit(outcome, None if is_ok else Failure.of(error, describe(error)))
            raise
        step.exit(_vmwright.STEP_OK, None)


def _script_failure(error: BaseException) -> str:
    # The traceback of a call of sys.exit is not useful.
    is_exit = isinstance(error, SystemExit)
    return exception_text(error) if is_exit else script_traceback(error)


def _outcome(error: BaseException) -> str:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return _vmwright.STEP_OK
    if isinstance(error, (KeyboardInterrupt, Terminated, Cancelled, GeneratorExit)):
        return _vmwright.STEP_CANCELLED
    return _vmwright.STEP_FAILED


rootlog = Logger()

# The NixOS test driver's name for all kinds of logs.
AbstractLogger = Logger


class CompositeLogger(Logger):
    """The log of the run, whatever the parts: each would repeat it."""

    def __init__(self, logger_list: List[Logger], exit_on_error: bool = False) -> None:
        super().__init__()
        self.logger_list = logger_list

    def add_logger(self, logger: Logger) -> None:
        self.logger_list.append(logger)


class TerminalLogger(Logger):
    """The log of the run."""


class XMLLogger(Logger):
    """The log of the run. It is not written to `outfile`: the variable LOGFILE names the file
    of the XML log."""

    def __init__(self, outfile: str) -> None:
        super().__init__()
        self.outfile = outfile

    def close(self) -> None:
        """Does nothing."""


class JunitXMLLogger(Logger):
    """The log of the run. It is not written to `outfile`: the option --junit-xml names the
    file of the report."""

    def __init__(self, outfile: Path) -> None:
        super().__init__()
        self.outfile = outfile

    def close(self) -> None:
        """Does nothing."""
