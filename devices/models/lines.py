"""A column for a short list of words."""

from collections.abc import Iterable
from typing import Any

from django.db import models


class LinesField(models.TextField[Any, Any]):
    """A list of texts without line breaks, stored as one text with a line break before and after each.

    `icontains=lines(["word"])` finds the rows whose list has the word, and ignores case.
    """

    def from_db_value(self, value: str | None, *args: object) -> list[str]:
        return self.to_python(value)

    def to_python(self, value: Any) -> list[str]:
        return value.strip("\n").split("\n") if isinstance(value, str) and value.strip("\n") else list(value or ())

    def get_prep_value(self, value: Any) -> str:
        words = [value] if isinstance(value, str) else value or ()
        return lines(words)

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))


def lines(words: Iterable[str]) -> str:
    """The words in the form that the column stores."""
    text = "\n".join(" ".join(str(word).split()) for word in words)
    return f"\n{text}\n" if text else ""
