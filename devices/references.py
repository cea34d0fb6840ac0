from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet


def get_referenced[M: Model](rows: QuerySet[M], field: str, id: object) -> M:
    """The row that a field of the request names by `id`. Raises the field's ValidationError where `rows` has none."""
    row = rows.first()
    if row is None:
        raise unknown_reference(field, id)
    return row


def unknown_reference(field: str, id: object) -> ValidationError:
    return ValidationError({field: f'Invalid pk "{id}" - object does not exist.'})
