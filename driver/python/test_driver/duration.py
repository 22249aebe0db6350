"""Lengths of time in the arguments of scripts."""

from datetime import timedelta
from typing import Optional, Union

# A length of time: a `timedelta`, or a number of seconds.
Duration = Union[timedelta, int, float]


def as_timedelta(duration: Duration) -> timedelta:
    """Converts a duration. One that is too long for a `timedelta` is the longest."""
    seconds = as_seconds(duration)
    if isinstance(duration, timedelta):
        return duration
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        return timedelta.max


def as_seconds(duration: Duration) -> float:
    """Converts a duration to seconds. A bool is a TypeError, although Python counts with it;
    a negative number is a ValueError."""
    seconds = _seconds(duration)
    if not seconds >= 0:
        raise ValueError(f"invalid duration: {seconds:g} seconds")
    return seconds


def _seconds(duration: Duration) -> float:
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, (int, float)):
        raise TypeError(
            f"expected a timedelta or a number of seconds, not {duration!r}"
            f" ({type(duration).__name__})"
        )
    return float(duration)


def one_of(
    function: str, names: str, new: Optional[Duration], old: Optional[Duration]
) -> Optional[Duration]:
    """The value of an argument that has a new and an old name, `names`, of which one may be
    passed."""
    if new is None or old is None:
        return old if new is None else new
    new_name, old_name = names.split()
    raise TypeError(
        f"{function}() got both '{new_name}' and '{old_name}' arguments."
        f" Pass only '{new_name}'"
    )
