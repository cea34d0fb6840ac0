from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


@contextmanager
def in_one_line() -> Iterator[None]:
    """Inside, a ValidationError of a room ends the command with one line that names each field and its mistakes."""
    try:
        yield
    except ValidationError as error:
        fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        lines = [
            f"{field}: {message}" if field else message for field, messages in fields.items() for message in messages
        ]
        raise CommandError(" ".join(lines)) from error
