"""Exceptions as they are told."""

import traceback
from typing import Optional

# What the file names of this package begin with, as Rust gives them to it.
OURS = "<test_driver/"


def gist(error: BaseException) -> str:
    """An exception, without where it was."""
    return "".join(traceback.format_exception_only(type(error), error)).rstrip()


def story(error: BaseException) -> str:
    """The traceback, without what is not the script's."""
    told = traceback.TracebackException.from_exception(error)
    _leave_out_ours(told)
    # Nothing of the script's has begun where a machine can't be made.
    lines = told.format() if told.stack else told.format_exception_only()
    return "".join(lines).rstrip()


def _leave_out_ours(story: Optional[traceback.TracebackException]) -> None:
    if story is None:
        return
    frames = [frame for frame in story.stack if not frame.filename.startswith(OURS)]
    story.stack = traceback.StackSummary.from_list(frames)
    _leave_out_ours(story.__cause__)
    _leave_out_ours(story.__context__)
