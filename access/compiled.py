"""Statements that the ORM describes and that are made once, where every connect of a device runs them.

Django makes the SQL of a queryset anew for each call, which takes several times as long as the database does to find a
row by its key.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from django.core.exceptions import ObjectNotUpdated
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, Model, QuerySet
from django.db.models.query import ModelIterable, ValuesListIterable, get_related_populators

from access import sql

FEW = 16  # values of a list: each number of them has a statement of its own, and more are left to the ORM

type Value = int | str | list[int] | list[str]


class Compiled[T]:
    """A SELECT of the ORM with places for values, compiled at its first use in a thread.

    `build` gets a value for each of its keywords, and returns the queryset, of objects or of `values_list`. It may only
    compare columns with the values, and must not depend on anything else that changes.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, T]]) -> None:
        self._build = build
        self._made = threading.local()

    def all(self, **values: Value) -> list[T]:
        """What the queryset finds with these values. A list of them is for the lookup `in`, and has at least one."""
        shape = tuple((name, len(value) if isinstance(value, list) else 0) for name, value in values.items())
        if any(number > FEW for _, number in shape):
            return list(self._build(**values))
        database = connections[DEFAULT_DB_ALIAS]
        if getattr(self._made, "database", None) is not database:
            self._made.database, self._made.statements = database, {}
        statement = self._made.statements.get(shape)
        if statement is None:
            statement = self._made.statements[shape] = _Statement(self._build, values, database)
        found: list[T] = statement.run(values)
        return found

    def first(self, **values: Value) -> T | None:
        """The first of them. The queryset need not be limited: it has one row, or none."""
        return next(iter(self.all(**values)), None)


class _Statement:
    """The SQL of a queryset, and how its rows become objects: what `django.db.models.query.ModelIterable` does."""

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], values: Mapping[str, Value], database: Any) -> None:
        stand_ins = {name: list(_stand_ins(number, value)) for number, (name, value) in enumerate(values.items())}
        queryset = build(
            **{name: found if isinstance(values[name], list) else found[0] for name, found in stand_ins.items()}
        )
        compiler: Any = queryset.query.get_compiler(connection=database)
        self._database = database
        self._sql, parameters = compiler.as_sql()
        places = {each: (name, place) for name, found in stand_ins.items() for place, each in enumerate(found)}
        # The type of each value in the query is kept: the driver sends a value with its type.
        self._parameters = [(places.get(each), type(each), each) for each in parameters]
        if missing := places.keys() - set(parameters):
            raise ValueError(f"The query has no place for {len(missing)} of its values.")
        fields = [select[0] for select in compiler.select]
        self._converters = [
            (place, converter, field)
            for place, (converters, field) in compiler.get_converters(fields).items()
            for converter in converters
        ]
        self._model = None
        internal: Any = queryset
        kind = internal._iterable_class  # noqa: SLF001 - as in the ORM
        if kind is not ModelIterable and kind is not ValuesListIterable:
            raise TypeError("The queryset is of objects, or of values_list without `flat`.")
        if kind is ModelIterable:
            own = compiler.klass_info["select_fields"]
            self._model, self._own = compiler.klass_info["model"], slice(own[0], own[-1] + 1)
            self._names = [field.target.attname for field in fields[self._own]]
            self._annotations = list(compiler.annotation_col_map.items())
            self._related = get_related_populators(
                compiler.klass_info,
                compiler.select,
                database.alias,
                internal._fetch_mode,  # noqa: SLF001 - the same
            )

    def run(self, values: Mapping[str, Any]) -> list[Any]:
        parameters = [_value(values, place, kind, each) for place, kind, each in self._parameters]
        return [self._read(list(row)) for row in sql.rows(self._sql, *parameters)]

    def _read(self, row: list[Any]) -> Any:
        for place, converter, field in self._converters:
            row[place] = converter(row[place], field, self._database)
        if self._model is None:
            return tuple(row)
        made: Any = self._model.from_db(self._database.alias, self._names, row[self._own])
        for related in self._related:
            related.populate(row, made)
        for name, place in self._annotations:
            setattr(made, name, row[place])
        return made


def _stand_ins(number: int, value: Value) -> Iterator[int | str]:
    """Values like these, each of which is found again among the parameters of the statement."""
    for place, each in enumerate(value if isinstance(value, list) else [value]):
        index = number * (FEW + 1) + place
        yield f"stand-in {index}" if isinstance(each, str) else 2**40 + index


def _value(values: Mapping[str, Any], place: tuple[str, int] | None, kind: type, constant: Any) -> Any:
    if place is None:
        return constant
    name, index = place
    value = values[name]
    return kind(value[index] if isinstance(value, list) else value)


def save_fields(row: Model, *names: str) -> None:
    """What `row.save(update_fields=names)` does for a row that was read. No signal is sent."""
    statement, fields = _update(type(row), names, connection.vendor)
    values = [field.get_db_prep_save(field.pre_save(row, add=False), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, row.pk])
        if cursor.rowcount != 1:
            raise ObjectNotUpdated("Save with update_fields did not affect any rows.")


def insert_row(row: Model) -> None:
    """What `row.save(force_insert=True)` does for a row of a model that numbers its rows. No signal is sent."""
    statement, fields = _insert(type(row), connection.vendor)
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row.pk = cursor.fetchone()[0]
    row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001 - as in the ORM


@cache
def _insert(model: Any, _vendor: str) -> tuple[str, list["Field[Any, Any]"]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    quoted = connection.ops.quote_name
    columns, values = ", ".join(quoted(field.column) for field in fields), ", ".join(["%s"] * len(fields))
    table, key = quoted(model._meta.db_table), quoted(model._meta.pk.column)
    return f"INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING {key}", fields  # noqa: S608


@cache
def _update(model: Any, names: tuple[str, ...], _vendor: str) -> tuple[str, list["Field[Any, Any]"]]:
    fields = [model._meta.get_field(name) for name in names]
    quoted = connection.ops.quote_name
    assignments = ", ".join(f"{quoted(field.column)} = %s" for field in fields)
    key = quoted(model._meta.pk.column)
    return f"UPDATE {quoted(model._meta.db_table)} SET {assignments} WHERE {key} = %s", fields  # noqa: S608
