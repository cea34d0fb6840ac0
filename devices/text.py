"""What text may hold, and how a name of the API reads to people."""


def has_null_character(value: object) -> bool:
    """Whether a JSON value holds one anywhere: PostgreSQL cannot store it."""
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
    """`SNAKE_CASE` and `snake_case` as `Snake case`."""
    return name.replace("_", " ").capitalize()
