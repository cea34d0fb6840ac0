"""Versions of operating systems, compared by their numbers."""

import re

_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){0,3}", re.ASCII)

type Version = tuple[int, ...]


def version_of(text: str) -> Version | None:
    """The numbers of a version without zeros at its end: `15.1.0` and `15.1` are the same. None for another text."""
    match = _VERSION.match(text)  # a rapid security response ends in a letter: `16.4.1 (a)`
    if match is None:
        return None
    numbers = [int(number) for number in match[0].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
