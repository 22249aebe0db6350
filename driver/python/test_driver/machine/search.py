"""Python's regular expressions, in waits."""

import re
from typing import Callable, Optional, Pattern, Tuple, Union

# A regular expression of Python's, compiled or not.
Regex = Union[str, Pattern[str]]


def search(regex: Regex) -> Tuple[str, Callable[[str], Optional[Tuple[int, int]]]]:
    """A regular expression as it is written, and where it matches. `^` and `$` are the
    ends of lines, unless it was compiled otherwise."""
    if isinstance(regex, str):
        regex = re.compile(regex, re.MULTILINE)
    pattern = regex

    def find(text: str) -> Optional[Tuple[int, int]]:
        match = pattern.search(text)
        return match.span() if match else None

    return pattern.pattern, find
