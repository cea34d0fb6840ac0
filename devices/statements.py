"""Write many rows of one table without a model object for each, which takes ten times as long as the row itself.

The table and the columns are those of a model. The values must have the types of its fields after a save.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from itertools import batched
from operator import attrgetter
from typing import Any

from django.db import connection, models

CHUNK = 5000  # parameters in one statement
COPIED = 100  # new rows: PostgreSQL takes a third of the time for more of them if it gets them by COPY


def create(model: Any, objects: Sequence[Any]) -> None:
    """Insert new objects, as `bulk_create` does, in the caller's transaction. No signal is sent."""
    fields = model._meta.concrete_fields
    for field in fields:
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            for each in objects:
                field.pre_save(each, add=True)
    for each, pk in zip(objects, _new_keys(model, len(objects)), strict=True):
        each.pk = pk
        each._state.adding, each._state.db = False, connection.alias  # noqa: SLF001 - as in the ORM
    values = attrgetter(*(field.attname for field in fields))
    insert(model, [field.name for field in fields], map(values, objects))


def _new_keys(model: Any, count: int) -> list[int]:
    """Primary keys for so many new rows, in rising order. SQLite's are free while the transaction has its lock."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sequence = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
            cursor.execute(sequence, [_quoted(table), count])
            return [pk for (pk,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        (last,) = cursor.fetchone() or (0,)
    return list(range(last + 1, last + count + 1))


def insert(
    model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]], *, conflict: str = ""
) -> None:
    """Insert rows. `conflict` is the SQL after ON CONFLICT, for a row that already exists; without it all are new."""
    fields = [_field(model, name) for name in names]
    if conflict or connection.vendor != "postgresql":
        _write(_insertion(model, tuple(names), conflict), fields, rows)
        return
    found = _parameters(fields, rows)
    if len(found) < COPIED:
        _execute(_insertion(model, tuple(names), conflict), found)
        return
    columns = ", ".join(_quoted(field.column) for field in fields)
    statement = f"COPY {_quoted(model._meta.db_table)} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in found:
            copy.write_row(row)


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
    statement = f"INSERT INTO {_quoted(model._meta.db_table)} ({columns}) VALUES ({values})"  # noqa: S608
    return f"{statement} ON CONFLICT {conflict}" if conflict else statement


def _converted(fields: Sequence[Any], row: Sequence[Any]) -> list[Any]:
    return [
        convert(value) if (convert := _conversion(field)) else value for field, value in zip(fields, row, strict=True)
    ]


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)


def _write(statement: str, fields: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    _execute(statement, _parameters(fields, rows))


def _parameters(fields: Sequence[Any], rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    # Most values need no conversion. Some need a type of the database.
    converted = [(place, convert) for place, field in enumerate(fields) if (convert := _conversion(field))]

    if not converted:
        return list(rows)

    def values(row: Sequence[Any]) -> list[Any]:
        found = list(row)
        for place, convert in converted:
            found[place] = convert(found[place])
        return found

    return [values(row) for row in rows]


def _execute(statement: str, parameters: Sequence[Sequence[Any]]) -> None:
    if parameters:
        with connection.cursor() as cursor:
            if len(parameters) == 1:
                cursor.execute(statement, parameters[0])
            else:
                cursor.executemany(statement, parameters)


def _conversion(field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    if isinstance(field, models.JSONField):
        return partial(field.get_db_prep_save, connection=connection)
    if connection.vendor == "sqlite":
        if isinstance(field, models.DateTimeField):
            return _moment
        if isinstance(field, models.UUIDField):
            return attrgetter("hex")
    return None


def _moment(value: datetime | None) -> str | None:
    """As SQLite's column of a DateTimeField has it."""
    return None if value is None else value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
