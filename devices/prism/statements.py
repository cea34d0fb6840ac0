"""Write many rows of one table without a model object for each, which takes ten times as long as the row itself.

The table and the columns are those of a model. The values must have the types of its fields after a save.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import batched
from typing import Any

from django.db import connection, models

CHUNK = 5000  # parameters in one statement


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]], *, conflict: str) -> None:
    """Insert rows. `conflict` is the SQL after ON CONFLICT, for a row that already exists."""
    _write(_insertion(model, tuple(names), conflict), [_field(model, name) for name in names], rows)


def insert_one(model: type[models.Model], names: Sequence[str], row: Sequence[Any], *, conflict: str) -> int | None:
    """Insert a row. Returns its primary key; None where `conflict` did nothing."""
    statement = f"{_insertion(model, tuple(names), conflict)} RETURNING {_quoted('id')}"
    fields = [_field(model, name) for name in names]
    with connection.cursor() as cursor:
        cursor.execute(statement, _converted(fields, row))
        found = cursor.fetchone()
    return int(found[0]) if found else None


def add(model: type[models.Model], name: str, sizes: Mapping[int, int]) -> None:
    """Add the `sizes`, which are by primary key, to a number. Rows with the same change share a statement."""
    alike: dict[int, list[int]] = {}
    for pk, size in sizes.items():
        if size:
            alike.setdefault(size, []).append(pk)
    column, table = _quoted(_field(model, name).column), _quoted(model._meta.db_table)
    with connection.cursor() as cursor:
        for size, pks in alike.items():
            for part in batched(pks, CHUNK, strict=False):
                places = ", ".join(["%s"] * len(part))
                statement = f"UPDATE {table} SET {column} = {column} + %s WHERE {_quoted('id')} IN ({places})"  # noqa: S608
                cursor.execute(statement, [size, *part])


def update(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Update rows. Each row has the values of `names`, and then the primary key."""
    fields = [_field(model, name) for name in names]
    key = _field(model, "id")
    assignments = ", ".join(f"{_quoted(field.column)} = %s" for field in fields)
    statement = f"UPDATE {_quoted(model._meta.db_table)} SET {assignments} WHERE {_quoted(key.column)} = %s"  # noqa: S608
    _write(statement, [*fields, key], rows)


@cache
def _insertion(model: type[models.Model], names: tuple[str, ...], conflict: str) -> str:
    columns = ", ".join(_quoted(_field(model, name).column) for name in names)
    values = ", ".join(["%s"] * len(names))
    return f"INSERT INTO {_quoted(model._meta.db_table)} ({columns}) VALUES ({values}) ON CONFLICT {conflict}"  # noqa: S608


def _converted(fields: Sequence[Any], row: Sequence[Any]) -> list[Any]:
    return [
        convert(value) if (convert := _conversion(field)) else value for field, value in zip(fields, row, strict=True)
    ]


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
            if len(parameters) == 1:
                cursor.execute(statement, parameters[0])
            else:
                cursor.executemany(statement, parameters)


def _conversion(field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    convert = partial(field.get_db_prep_save, connection=connection)
    if isinstance(field, models.DateTimeField):
        return cache(convert)  # rows that are written together have few different times
    return convert if isinstance(field, models.JSONField) else None


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
