"""Versions of operating systems, compared by their numbers: as texts, `9.3` would be later than `15.2`.

In a query a regular expression does that, because both databases have them, and no column has the numbers.
"""

import re

# As people write it. `15` means the same as `15.0` and `15.0.0`.
VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){0,4}")

type Version = tuple[int, ...]


def version_of(text: str) -> Version | None:
    """The numbers of a version without zeros at its end: `15.1.0` and `15.1` are the same. None for another text."""
    match = VERSION.match(text)  # a rapid security response ends in a letter: `16.4.1 (a)`
    return None if match is None else _numbers(match[0])


def at_least(version: str) -> str:
    """The expression that texts match which begin with a version that is `version` or later. A text that begins with
    no number, such as an empty one, has no version and does not match."""
    return f"^{_from(list(_numbers(version)))}"


def _numbers(version: str) -> Version:
    numbers = [int(number) for number in version.split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()  # a missing number is 0
    return tuple(numbers)


def _from(numbers: list[int]) -> str:
    """Numbers of which the first is greater than the first here, or the same and followed by what fits the others."""
    first, *others = numbers
    if others:
        same = rf"0*{first}\.{_from(others)}"
    elif first:
        same = f"0*{first}([^0-9]|$)"
    else:
        return "[0-9]"  # every number is at least 0
    return f"({same}|{_greater(first)})"


def _greater(number: int) -> str:
    """Numbers that are greater. More digits may follow: they make it only greater still."""
    digits = str(number) if number else ""
    choices = [f"[1-9][0-9]{{{len(digits)}}}"]
    choices += [
        f"{digits[:i]}[{int(digit) + 1}-9][0-9]{{{len(digits) - i - 1}}}"
        for i, digit in enumerate(digits)
        if digit != "9"
    ]
    return f"0*({'|'.join(choices)})"
