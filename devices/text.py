"""Helpers for text: the test for null characters, and labels made from API names."""


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


def as_words(name: str) -> str:
    """Turn `SNAKE_CASE` or `snake_case` into `Snake case`."""
    return name.replace("_", " ").capitalize()
