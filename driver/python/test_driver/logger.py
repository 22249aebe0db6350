"""The log: what machines and scripts say, in order, on standard error."""

import time
from contextlib import contextmanager
from typing import Dict, Iterator, List, Optional, Tuple

import _vmwright


class Logger:
    """Where scripts and machines say what they do; `log` in scripts."""

    def __init__(self) -> None:
        # The subtests that have ended: name, seconds, and what is wrong.
        self.ended: List[Tuple[str, float, Optional[str]]] = []

    def log(self, message: str, attributes: Dict[str, str] = {}) -> None:
        """Says `message`; of a machine's if `attributes` has a `machine`."""
        _vmwright.log("info", str(message), attributes.get("machine"))

    def info(self, *args, **kwargs) -> None:  # type: ignore
        self.log(*args, **kwargs)

    def warning(self, message: str, attributes: Dict[str, str] = {}) -> None:
        _vmwright.log("warning", str(message), attributes.get("machine"))

    def error(self, message: str, attributes: Dict[str, str] = {}) -> None:
        _vmwright.log("error", str(message), attributes.get("machine"))

    def log_test_error(self, *args, **kwargs) -> None:  # type: ignore
        self.error(*args, **kwargs)

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
