"""Objects that the fields of a request refer to by id."""

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet


def get_referenced[M: Model](rows: QuerySet[M], field: str, id: object) -> M:
    """Return the row that a field of a request refers to. Raises ValidationError for the field if `rows` is empty."""
    row = rows.first()
    if row is None:
        raise unknown_reference(field, id)
    return row


def unknown_reference(field: str, id: object) -> ValidationError:
    """Return the error for a field that refers to an object which does not exist."""
    return ValidationError({field: f'Invalid pk "{id}" - object does not exist.'})
