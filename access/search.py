"""The search of the permission editor and of the API reference: words in any order, with synonyms, the best first."""

import re
from collections.abc import Iterable

# The words of a line mean the same. They are looked up in labels and names, not in paths or descriptions.
SYNONYMS = (
    ("erase", "wipe"),
    ("list", "get", "read", "show"),
    ("find", "search"),
    ("create", "add", "new"),
    ("update", "edit", "change", "set"),
    ("delete", "remove"),
    ("restart", "reboot"),
    ("shutdown", "poweroff"),
    ("app", "application"),
    ("apps", "applications"),
    ("enrollment", "enrolment"),
    ("pin", "passcode"),
)
EXACT, BEGINNING, LABEL, ELSEWHERE = range(4)  # the ranks, the best first

_OTHERS = {word: [other for other in line if other != word] for line in SYNONYMS for word in line}


def searchable(names: Iterable[str], *texts: str) -> str:
    """The text that a search looks in: the names with their synonyms, and the other texts. In lower case."""
    named = " ".join(names).casefold()
    others = dict.fromkeys(other for word in re.findall(r"\w+", named) for other in _OTHERS.get(word, ()))
    return " ".join([named, *texts, *others]).casefold()


def words_of(query: str) -> list[str]:
    """The words of the query, in lower case and in the singular: `devices` also finds `Device list`.

    Names and paths stay as they are.
    """
    return [word.removesuffix("s") if len(word) > 3 and word.isalpha() else word for word in query.casefold().split()]


def matches(words: list[str], text: str) -> bool:
    """Whether each of the words occurs in a `searchable` text."""
    return all(word in text for word in words)


def rank(query: str, label: str) -> int:
    """How well a label that was found fits the query. A lower number is better."""
    asked = " ".join(query.casefold().split())
    if label.casefold() == asked:
        return EXACT
    if label.casefold().startswith(asked):
        return BEGINNING
    return LABEL if matches(words_of(query), searchable([label])) else ELSEWHERE
