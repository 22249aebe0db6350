"""Threads of a script."""

import inspect
import reprlib
import sys
import threading
from contextlib import contextmanager
from types import FrameType
from typing import Callable, Iterator, List, Optional, Sequence
from weakref import WeakSet

import _vmwright
from test_driver.errors import Cancelled
from test_driver.failure import OWN_FILES, print_error, script_traceback
from test_driver.logger import rootlog

# Threads whose operations were cancelled.
_named: "WeakSet[threading.Thread]" = WeakSet()


@contextmanager
def cancelled() -> Iterator[None]:
    """Cancels the operations of machines in other threads, also later ones in this
    context: they raise Cancelled. Logs what each thread did."""
    for thread in threading.enumerate():
        _name_operation(thread)
    _vmwright.cancel_threads(True)
    try:
        yield
    finally:
        _vmwright.cancel_threads(False)


def _name_operation(thread: threading.Thread) -> None:
    frame = sys._current_frames().get(thread.ident or 0)
    if thread is threading.current_thread() or thread in _named:
        return
    if (operation := _operation(frame)) is not None:
        _named.add(thread)
        rootlog.warning(f"the script has ended: thread {thread.name} ends in {operation}")


def _operation(frame: Optional[FrameType]) -> Optional[str]:
    """The call of this package by which a stack ends, such as `machine.succeed('true')`."""
    call = None
    while frame is not None and frame.f_code.co_filename.startswith(OWN_FILES):
        call, frame = frame, frame.f_back
    if call is None:
        return None
    names, rest, _, values = inspect.getargvalues(call)
    owner = getattr(values.get("self"), "name", None)
    arguments = values[rest] if rest else [values[name] for name in names[1:2]]
    function = ".".join(filter(None, [owner, call.f_code.co_name]))
    return f"{function}({', '.join(map(reprlib.repr, arguments))})"


def print_exception(failed: threading.ExceptHookArgs) -> None:
    """Prints an exception that a thread of the script did not catch."""
    if failed.exc_value is None or isinstance(failed.exc_value, (SystemExit, Cancelled)):
        return
    name = failed.thread.name if failed.thread else "?"
    print_error(f"Exception in thread {name}:\n{script_traceback(failed.exc_value)}")


def run_all(functions: Sequence[Callable[[], None]]) -> List[Optional[Exception]]:
    """Runs functions at the same time, each in a thread, and returns the exception of each."""
    failures: List[Optional[Exception]] = [None for _ in functions]

    def run(number: int, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception as error:
            failures[number] = error

    # Daemons: they must not keep an interrupted run.
    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in enumerate(functions)
    ]
    # Not operations of the script's threads.
    _named.update(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
