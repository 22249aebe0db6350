"""Waits for text with Python's regular expressions."""

import re
from typing import Callable, Optional, Pattern, Tuple, Union

# A regular expression, compiled or not.
Regex = Union[str, Pattern[str]]


def search(regex: Regex) -> Tuple[str, Callable[[str], Optional[Tuple[int, int]]]]:
    """Returns the text of a regular expression, and a function that finds its span in a
    text. In a string, `^` and `$` match at the ends of lines."""
    if isinstance(regex, str):
        regex = re.compile(regex, re.MULTILINE)
    pattern = regex

    def find(text: str) -> Optional[Tuple[int, int]]:
        match = pattern.search(text)
        return match.span() if match else None

    return pattern.pattern, find
