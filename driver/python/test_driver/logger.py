"""The log: what machines and scripts say, in order, on standard error."""

import sys
from contextlib import contextmanager
from enum import IntEnum
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import _vmwright
from test_driver.errors import Terminated
from test_driver.failure import gist, story, utf8


class LogLevel(IntEnum):
    """How much is told of."""

    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4


class Logger:
    """Where scripts and machines say what they do; `log` in scripts."""

    def __init__(self) -> None:
        # Whether an error that a script tells of ends the test.
        self.exit_on_error = True
        # The least level that is told of.
        self._level = LogLevel.INFO
        # The subtests that have ended: name, when they began and ended, in seconds of
        # the run's, and what is wrong.
        self.ended: List[Tuple[str, float, float, Optional[str]]] = []

    def log(self, message: str, attributes: Dict[str, str] = {}) -> None:
        """Says `message`; of a machine's if `attributes` has a `machine`."""
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
        """Tells of an error, and ends the test."""
        self.log_test_error(*args, **kwargs)
        if self.exit_on_error:
            sys.exit(1)

    def log_test_error(self, message: str, attributes: Dict[str, str] = {}) -> None:
        _vmwright.log("error", utf8(message), attributes.get("machine"))

    def set_log_level(self, level: int) -> None:
        """Has what is below a level not told."""
        self._level = LogLevel(level)

    def log_serial(self, message: str, machine: str) -> None:
        """Says `message` as if a machine's console had."""
        _vmwright.log("serial", utf8(message), machine)

    def print_serial_logs(self, enable: bool) -> None:
        """Whether the lines of all consoles are said."""
        _vmwright.show_serial(enable)

    @contextmanager
    def nested(self, message: str, attributes: Dict[str, str] = {}) -> Iterator[None]:
        """Says what is begun, and how long it took; what is done meanwhile is within it."""
        with self._step(message, attributes, "nested", gist):
            yield

    @contextmanager
    def script(self) -> Iterator[None]:
        """The script itself, whose failure is told with where it was."""
        with self._step("run the VM test script", {}, "script", _of_script):
            yield

    @contextmanager
    def subtest(self, name: str, attributes: Dict[str, str] = {}) -> Iterator[None]:
        """A part of the test, with a name."""
        began = _vmwright.elapsed()
        wrong = None
        try:
            with self._step(f"subtest: {name}", attributes, "subtest", gist):
                yield
        except BaseException as error:
            wrong = None if _outcome(error) == "ok" else gist(error)
            raise
        finally:
            self.ended.append((utf8(name), began, _vmwright.elapsed(), wrong))

    @contextmanager
    def _step(
        self,
        what: str,
        attributes: Dict[str, str],
        kind: str,
        tell: Callable[[BaseException], str],
    ) -> Iterator[None]:
        step = _vmwright.Step(utf8(what), kind, attributes.get("machine"))
        step.enter()
        try:
            yield
        except BaseException as error:
            step.exit(_outcome(error), tell(error))
            raise
        step.exit("ok", "")


def _of_script(error: BaseException) -> str:
    # Whoever leaves is not wrong at some place.
    return gist(error) if isinstance(error, SystemExit) else story(error)


def _outcome(error: BaseException) -> str:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "ok"
    if isinstance(error, (KeyboardInterrupt, Terminated, GeneratorExit)):
        return "cancelled"
    return "failed"


rootlog = Logger()
