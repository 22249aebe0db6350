"""Failures: their messages, without frames of this package, and their identity in reports."""

import builtins
import contextlib
import sys
import traceback
from types import FrameType
from typing import Any, List, NamedTuple, Optional

import _vmwright
from test_driver.errors import MachineError

# The prefix of this package's file names, as Rust loads it.
OWN_FILES = "<test_driver/"

# Python has exception groups from 3.11 on.
_EXCEPTION_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())


class Failure(NamedTuple):
    """Why a run, or a part of it, did not pass."""

    message: str
    # Identifies it in the trace.
    error_id: Optional[int] = None
    # Whether the host, QEMU or the image caused it.
    infrastructure: bool = False
    # The line for logs; if empty, the first line of the message.
    summary: str = ""

    @classmethod
    def of(cls, error: BaseException, message: str) -> "Failure":
        return cls(message, error_id(error), is_infrastructure(error), _summary(error))


def _summary(error: BaseException) -> str:
    """The line that names an exception. For a SyntaxError, its place comes before. A call of
    sys.exit has a message of its own."""
    if isinstance(error, SystemExit):
        return ""
    lines = printable(exception_text(error)).splitlines()
    return next((line for line in lines if not line.startswith(" ")), "")


def error_id(error: BaseException) -> int:
    """Identifies an exception in the trace: all steps that fail by it record this number.
    Rust sets it on exceptions that it creates from errors of machines."""
    # Not by setattr, which may fail for an exception class of the script.
    attributes = vars(error)
    if "_vmwright_error_id" not in attributes:
        attributes["_vmwright_error_id"] = _vmwright.next_error_id()
    number: int = attributes["_vmwright_error_id"]
    return number


def is_infrastructure(error: BaseException) -> bool:
    """Whether the host, QEMU or the image caused an exception, or one of those that its
    traceback shows before it."""
    pending: List[Optional[BaseException]] = [error]
    seen = set()
    while pending:
        cause = pending.pop()
        if cause is None or id(cause) in seen:
            continue
        if isinstance(cause, MachineError) and cause.infrastructure:
            return True
        seen.add(id(cause))
        pending.append(cause.__cause__)
        if not cause.__suppress_context__:
            pending.append(cause.__context__)
        if isinstance(cause, _EXCEPTION_GROUP):
            pending.extend(cause.exceptions)
    return False


def utf8(text: Any) -> str:
    """Escapes lone surrogates, which UTF-8 can't encode."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def exception_text(error: BaseException) -> str:
    """An exception's type and message, without a traceback."""
    return utf8("".join(traceback.format_exception_only(type(error), error)).rstrip())


def printable(text: str) -> str:
    """Escapes control characters: the text may contain a guest's output."""
    return "\n".join(map(_vmwright.printable, utf8(text).split("\n")))


def print_error(text: str) -> None:
    """Prints to standard error, which may be closed."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(text, file=sys.stderr)


def script_traceback(error: BaseException) -> str:
    """The traceback, with frames of the script only."""
    summary = traceback.TracebackException.from_exception(error)
    _keep_script_frames(summary, error)
    # There are none if a machine could not be created.
    lines = summary.format() if summary.stack else summary.format_exception_only()
    return printable("".join(lines).rstrip())


def script_stack(frame: Optional[FrameType]) -> str:
    """The stack down to `frame`, with frames of the script only."""
    frames = list(traceback.walk_stack(frame))[::-1]
    stack = traceback.StackSummary.extract(iter(frames))
    kept = [line for (at, _), line in zip(frames, stack) if is_script_frame(at)]
    return printable("".join(traceback.StackSummary.from_list(kept).format()).rstrip())


def is_script_frame(frame: FrameType) -> bool:
    """Whether it is neither of this package nor of unittest."""
    # Unittest marks its modules by this variable to hide them from tracebacks.
    is_unittest = "__unittest" in frame.f_globals
    return not is_unittest and not frame.f_code.co_filename.startswith(OWN_FILES)


def _keep_script_frames(
    summary: Optional[traceback.TracebackException], error: Optional[BaseException]
) -> None:
    if summary is None or error is None:
        return
    frames = zip(traceback.walk_tb(error.__traceback__), summary.stack)
    kept = [line for (frame, _), line in frames if is_script_frame(frame)]
    summary.stack = traceback.StackSummary.from_list(kept)
    _keep_script_frames(summary.__cause__, error.__cause__)
    _keep_script_frames(summary.__context__, error.__context__)
    if isinstance(error, _EXCEPTION_GROUP):
        for part, its_error in zip(summary.exceptions or (), error.exceptions):
            _keep_script_frames(part, its_error)
