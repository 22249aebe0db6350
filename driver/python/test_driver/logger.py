"""The log: what machines and scripts say, in order, on standard error."""

import sys
import time
from contextlib import contextmanager
from enum import IntEnum
from typing import Dict, Iterator, List, Optional, Tuple

import _vmwright


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
        # The subtests that have ended: name, seconds, and what is wrong.
        self.ended: List[Tuple[str, float, Optional[str]]] = []

    def log(self, message: str, attributes: Dict[str, str] = {}) -> None:
        """Says `message`; of a machine's if `attributes` has a `machine`."""
        _vmwright.log("info", str(message), attributes.get("machine"))

    def debug(self, *args, **kwargs) -> None:  # type: ignore
        if self._level <= LogLevel.DEBUG:
            self.log(*args, **kwargs)

    def info(self, *args, **kwargs) -> None:  # type: ignore
        if self._level <= LogLevel.INFO:
            self.log(*args, **kwargs)

    def warning(self, message: str, attributes: Dict[str, str] = {}) -> None:
        if self._level <= LogLevel.WARNING:
            _vmwright.log("warning", str(message), attributes.get("machine"))

    def error(self, *args, **kwargs) -> None:  # type: ignore
        """Tells of an error, and ends the test."""
        self.log_test_error(*args, **kwargs)
        if self.exit_on_error:
            sys.exit(1)

    def log_test_error(self, message: str, attributes: Dict[str, str] = {}) -> None:
        _vmwright.log("error", str(message), attributes.get("machine"))

    def set_log_level(self, level: int) -> None:
        """Has what is below a level not told."""
        self._level = LogLevel(level)

    def log_serial(self, message: str, machine: str) -> None:
        """Says `message` as if a machine's console had."""
        _vmwright.log("serial", str(message), machine)

    def print_serial_logs(self, enable: bool) -> None:
        """Whether the lines of all consoles are said."""
        _vmwright.show_serial(enable)

    @contextmanager
    def nested(self, message: str, attributes: Dict[str, str] = {}) -> Iterator[None]:
        """Says what is begun, and how long it took."""
        self.log(message, attributes)
        began = time.monotonic()
        outcome = "failed"
        try:
            yield
            outcome = "finished"
        finally:
            seconds = time.monotonic() - began
            self.log(f"({outcome}: {message}, in {seconds:.2f} seconds)", attributes)

    @contextmanager
    def subtest(self, name: str, attributes: Dict[str, str] = {}) -> Iterator[None]:
        """A part of the test, with a name."""
        began = time.monotonic()
        wrong = None
        try:
            with self.nested("subtest: " + name, attributes):
                yield
        except BaseException as error:
            wrong = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.ended.append((name, time.monotonic() - began, wrong))


rootlog = Logger()
