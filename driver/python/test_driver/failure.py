"""What went wrong, told without what is not the script's."""

import contextlib
import sys
import traceback
from types import FrameType
from typing import Any, Optional

import _vmwright

# What the file names of this package begin with, as Rust gives them to it.
OURS = "<test_driver/"


def utf8(text: Any) -> str:
    """A text, with its lone surrogates written out: UTF-8 has none."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def gist(error: BaseException) -> str:
    """An exception, without where it was."""
    return utf8("".join(traceback.format_exception_only(type(error), error)).rstrip())


def printable(text: str) -> str:
    """What may hold a guest's output, without what steers a terminal."""
    return "\n".join(map(_vmwright.printable, utf8(text).split("\n")))


def tell(text: str) -> None:
    """Says it on standard error, which may be closed."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(text, file=sys.stderr)


def story(error: BaseException) -> str:
    """The traceback, ending in the script's own line."""
    told = traceback.TracebackException.from_exception(error)
    _leave_out_ours(told, error)
    # Nothing of the script's has begun where a machine can't be made.
    lines = told.format() if told.stack else told.format_exception_only()
    return printable("".join(lines).rstrip())


def where(frame: Optional[FrameType]) -> str:
    """Where the script is: the stack down to a frame."""
    walked = list(traceback.walk_stack(frame))[::-1]
    stack = traceback.StackSummary.extract(iter(walked))
    kept = [told for (at, _), told in zip(walked, stack) if _is_the_scripts(at)]
    return "".join(traceback.StackSummary.from_list(kept).format()).rstrip()


def _is_the_scripts(frame: FrameType) -> bool:
    # Unittest marks its own modules so, for the same purpose.
    is_unittests = "__unittest" in frame.f_globals
    return not is_unittests and not frame.f_code.co_filename.startswith(OURS)


def _leave_out_ours(
    told: Optional[traceback.TracebackException], error: Optional[BaseException]
) -> None:
    if told is None or error is None:
        return
    frames = zip(traceback.walk_tb(error.__traceback__), told.stack)
    kept = [summary for (frame, _), summary in frames if _is_the_scripts(frame)]
    told.stack = traceback.StackSummary.from_list(kept)
    _leave_out_ours(told.__cause__, error.__cause__)
    _leave_out_ours(told.__context__, error.__context__)
    # Those of a group, which Python has from 3.11 on.
    parts = zip(getattr(told, "exceptions", None) or (), getattr(error, "exceptions", ()))
    for part, its_error in parts:
        _leave_out_ours(part, its_error)
