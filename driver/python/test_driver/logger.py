"""The log: what machines and scripts say, in order, on standard error."""

from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import _vmwright
from test_driver.errors import Terminated
from test_driver.story import gist, story


class Logger:
    """Where scripts and machines say what they do; `log` in scripts."""

    def __init__(self) -> None:
        # The subtests that have ended: name, when they began and ended, in seconds of
        # the run's, and what is wrong.
        self.ended: List[Tuple[str, float, float, Optional[str]]] = []

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
        """Says what is begun, and how long it took; what is done meanwhile is within it."""
        with self._step(message, attributes, "nested", gist):
            yield

    @contextmanager
    def script(self) -> Iterator[None]:
        """The script itself, whose failure is told with where it was."""
        with self._step("run the VM test script", {}, "script", story):
            yield

    @contextmanager
    def subtest(self, name: str, attributes: Dict[str, str] = {}) -> Iterator[None]:
        """A part of the test, with a name."""
        began = _vmwright.elapsed()
        wrong = None
        try:
            with self._step("subtest: " + name, attributes, "subtest", gist):
                yield
        except BaseException as error:
            wrong = gist(error)
            raise
        finally:
            self.ended.append((name, began, _vmwright.elapsed(), wrong))

    @contextmanager
    def _step(
        self,
        what: str,
        attributes: Dict[str, str],
        kind: str,
        tell: Callable[[BaseException], str],
    ) -> Iterator[None]:
        step = _vmwright.Step(str(what), kind, attributes.get("machine"))
        step.enter()
        try:
            yield
        except BaseException as error:
            step.exit(_outcome(error), tell(error))
            raise
        step.exit("ok", "")


def _outcome(error: BaseException) -> str:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "ok"
    if isinstance(error, (KeyboardInterrupt, Terminated, GeneratorExit)):
        return "cancelled"
    return "failed"


rootlog = Logger()
