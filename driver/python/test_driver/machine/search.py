"""Waits for text with Python's regular expressions."""

import re
from typing import Callable, Optional, Pattern, Tuple, Union

# A regular expression, compiled or not.
Regex = Union[str, Pattern[str]]


def _compiled(regex: Regex) -> Pattern[str]:
    if isinstance(regex, str):
        try:
            return re.compile(regex, re.MULTILINE)
        except re.error as error:
            message = f"{regex!r} is not a regular expression: {error.msg}"
            raise re.error(message, regex, error.pos) from None
    if not isinstance(regex, re.Pattern) or not isinstance(regex.pattern, str):
        kind = type(regex).__name__
        raise TypeError(f"expected a regular expression as str or re.Pattern of str, not {kind}")
    return regex


def search(regex: Regex) -> Tuple[str, Callable[[str], Optional[Tuple[int, int]]]]:
    """Returns the text of a regular expression, and a function that finds its span in a
    text. In a string, `^` and `$` match at the ends of lines."""
    pattern = _compiled(regex)

    def find(text: str) -> Optional[Tuple[int, int]]:
        match = pattern.search(text)
        return match.span() if match else None

    return pattern.pattern, find
