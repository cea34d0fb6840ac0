"""Write many rows of one table without a model object for each, which takes ten times as long as the row itself.

The table and the columns are those of a model. The values must have the types of its fields after a save.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any

from django.db import connection, models


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]], *, conflict: str) -> None:
    """Insert rows. `conflict` is the SQL after ON CONFLICT, for a row that already exists."""
    fields = [_field(model, name) for name in names]
    columns = ", ".join(_quoted(field.column) for field in fields)
    values = ", ".join(["%s"] * len(fields))
    table = _quoted(model._meta.db_table)
    _write(f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT {conflict}", fields, rows)  # noqa: S608


def update(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Update rows. Each row has the values of `names`, and then the primary key."""
    fields = [_field(model, name) for name in names]
    key = _field(model, "id")
    assignments = ", ".join(f"{_quoted(field.column)} = %s" for field in fields)
    statement = f"UPDATE {_quoted(model._meta.db_table)} SET {assignments} WHERE {_quoted(key.column)} = %s"  # noqa: S608
    _write(statement, [*fields, key], rows)


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)


def _write(statement: str, fields: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    # Most values need no conversion. Some need a type of the database.
    converted = [(place, convert) for place, field in enumerate(fields) if (convert := _conversion(field))]

    def values(row: Sequence[Any]) -> list[Any]:
        found = list(row)
        for place, convert in converted:
            found[place] = convert(found[place])
        return found

    if parameters := [values(row) for row in rows]:
        with connection.cursor() as cursor:
            cursor.executemany(statement, parameters)


def _conversion(field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    convert = partial(field.get_db_prep_save, connection=connection)
    if isinstance(field, models.DateTimeField):
        return cache(convert)  # rows that are written together have few different times
    return convert if isinstance(field, models.JSONField) else None


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
