"""Helpers for text: the test for null characters, labels made from API names, and the form of texts for a search."""

import unicodedata


def has_null_character(value: object) -> bool:
    """Return whether a JSON value contains a null character, which PostgreSQL cannot store."""
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(has_null_character, value))
        case dict():
            return any(has_null_character(part) for pair in value.items() for part in pair)
        case _:
            return False


def is_storable(text: str) -> bool:
    """Whether every database can store the text: it has no null character and no half of a character."""
    return "\0" not in text and (text.isascii() or text.encode("utf-8", "ignore").decode() == text)


def as_words(name: str) -> str:
    """Turn `SNAKE_CASE` or `snake_case` into `Snake case`."""
    return name.replace("_", " ").capitalize()


def search_form(text: str) -> str:
    """The text without case and accents, so that `zoe` is a part of `Zoë's Mac`, and with straight apostrophes."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2019", "'").replace("\u2018", "'"))
    return "".join(each for each in decomposed if not unicodedata.combining(each)).casefold()
