"""SELECTs whose SQL is made once. A queryset costs more Python than a look-up by index costs the database; on the path
that every API call takes, that is most of the call."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import QuerySet

# SQL for Django's cursor, the same for the driver's own, and for each placeholder which value it takes, or a constant.
type Compiled = tuple[str, str, list[tuple[int, Any]]]


class Statement:
    """A queryset compiled on first use, and run again and again with other values.

    `build` makes the queryset from as many values as there are `markers`; a marker is a value of the right type that
    occurs nowhere else in the query. Slice bounds may be markers too. `rows` takes values as the database driver does,
    and returns rows as it gives them: no model, no field conversion.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], *markers: Any) -> None:
        self._build = build
        self._markers = markers
        self._compiled: dict[str, Compiled] = {}

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        database: Any = connections[DEFAULT_DB_ALIAS]
        sql, native, places = self._compiled.get(database.vendor) or self._compile()
        parameters = [constant if place < 0 else values[place] for place, constant in places]
        rows: list[tuple[Any, ...]]
        if database.queries_logged or database.execute_wrappers:  # somebody counts or watches queries
            with database.cursor() as cursor:
                cursor.execute(sql, parameters)
                rows = cursor.fetchall()
            return rows
        # Straight to the driver: what Django's cursor does around a query takes longer than these queries.
        database.close_if_health_check_failed()
        database.ensure_connection()
        database.validate_no_broken_transaction()
        with database.wrap_database_errors:
            rows = database.connection.execute(native, parameters).fetchall()
        return rows

    def _compile(self) -> Compiled:
        sql, parameters = self._build(*self._markers).query.get_compiler(connection=connection).as_sql()
        remaining: list[Any] = list(parameters)
        places: list[tuple[int, Any]] = []
        bounds = {str(marker): place for place, marker in enumerate(self._markers) if type(marker) is int}

        def placeholder(match: re.Match[str]) -> str:
            if match[0] == "%s":
                value = remaining.pop(0)
                places.append((_index(self._markers, value), value))
            else:
                places.append((bounds[match[0]], None))
            return "%s"

        sql = re.sub("|".join(["%s", *(rf"\b{bound}\b" for bound in bounds)]), placeholder, sql)
        if missing := set(range(len(self._markers))) - {place for place, _ in places}:
            raise ValueError(f"The statement does not use its values {sorted(missing)}.")
        native = sql.replace("%s", "?") if connection.vendor == "sqlite" else sql
        compiled = self._compiled[connection.vendor] = sql, native, places
        return compiled


def _index(markers: Sequence[Any], value: Any) -> int:
    # A driver may be given the marker in its own form, such as a UUID in hexadecimal.
    for place, marker in enumerate(markers):
        if value == marker or str(value) == str(marker).replace("-", ""):
            return place
    return -1
