"""The filters and orders of the API's list of devices, as conditions and terms of SQL.

Django takes longer to make the SQL of such a queryset than SQLite takes to find the devices. More than that, a planner
does not know how many devices contain a text: `record_pages` finds that out first, and needs the parts of the SELECT.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from access import sql
from devices.models import Platform

type Part = tuple[str, Sequence[Any]]  # of a statement, with its parameters


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter with its value.

    `test` asks one device, the row `d`. `keys` is a SELECT of the primary keys of all devices that match, by an index;
    `sorted` says that this index has them in their order, or several SELECTs of them that a UNION merges.
    """

    test: Part
    keys: Part
    sorted: bool = False

    @property
    def counted(self) -> Part:
        """`keys` as they are counted fastest: SQLite merges several SELECTs only where they are to be sorted."""
        source, parameters = self.keys
        return (f"{source} ORDER BY id" if UNION in source else source), parameters


@dataclass(frozen=True, slots=True)
class Order:
    """The tables that are read for an order, with the device as `d`, and the terms that sort them."""

    tables: str
    tenant: str  # the column that says whose they are
    terms: str


# ruff: noqa: S608 - each part of a statement is a constant of this module

DEVICES = "devices_device d"
# By way of the Blueprints, which are few: they have the ids, and an index of the devices of each.
BY_BLUEPRINT = "devices_blueprint b JOIN devices_device d ON d.blueprint_id = b.id"
# NULL is the lowest value on every database. Each of these has an index, which ends with the primary key.
TERMS: Mapping[str, Sequence[str]] = {
    "asset_tag": ["d.asset_tag"],
    "blueprint_id": ["b.uuid", "b.id"],
    "device_id": ["d.uuid"],
    "device_name": ["d.name"],
    "last_check_in": ["d.last_check_in"],
    "model": ["d.model"],
    "platform": ["d.platform"],
    "os_version": ["d.os_version"],
    "serial_number": ["d.serial_number"],
    "user": ["d.user_label"],
}
NULLABLE = {"d.last_check_in"}

CROSS = {"sqlite": "CROSS JOIN", "postgresql": "JOIN"}
UNION = " UNION "
MERGED = 50  # tags whose devices are merged; SQLite makes no SELECT of more than 500
HEXADECIMAL = {"sqlite": "uuid", "postgresql": "REPLACE(uuid::text, '-', '')"}
CONTAINS = {
    "sqlite": r"{0} LIKE %s ESCAPE '\'",
    "postgresql": "UPPER({0}) LIKE UPPER(%s)",
}
# PostgreSQL takes four times as long for the capitals of every script as for those of ASCII, which is enough for
# values of ASCII alone: those with as many bytes as characters.
CONTAINS_ASCII = (
    '(UPPER({0} COLLATE "C") LIKE %s OR (OCTET_LENGTH({0}) > CHAR_LENGTH({0}) AND UPPER({0}) LIKE UPPER(%s)))'
)
# The different values in a column of few, each found in the index behind the one before.
VALUES = """
WITH RECURSIVE found(value) AS (
    SELECT MIN({0}) FROM devices_device WHERE tenant_id = %s
    UNION ALL
    SELECT (SELECT MIN({0}) FROM devices_device WHERE tenant_id = %s AND {0} > found.value)
    FROM found WHERE found.value IS NOT NULL
)
SELECT value FROM found WHERE {1}
"""


def order_of(names: Sequence[str]) -> Order:
    """The order by these names of TERMS, then by primary key. A `-` before a name sorts descending.

    The primary key has the direction of the last name, so that an index serves both directions of one name.
    """
    sorts = [(term, name.startswith("-")) for name in names for term in TERMS[name.removeprefix("-")]]
    sorts.append(("d.id", bool(names) and names[-1].startswith("-")))
    by_blueprint = any(name.removeprefix("-") == "blueprint_id" for name in names)
    return Order(
        tables=BY_BLUEPRINT if by_blueprint else DEVICES,
        tenant="b.tenant_id" if by_blueprint else "d.tenant_id",
        terms=", ".join(_term(term, descending) for term, descending in sorts),
    )


def _term(term: str, descending: bool) -> str:
    if term in NULLABLE:
        return f"{term} DESC NULLS LAST" if descending else f"{term} ASC NULLS FIRST"
    return f"{term} DESC" if descending else term


def conditions(tenant_id: int, filters: Mapping[str, Any]) -> list[Condition] | None:
    """The conditions of these filters, all of which a device has to meet. None if no device does, as far as is known.

    The names are those of the API's parameters.
    """
    found = [FILTERS[name](tenant_id, value) for name, value in filters.items()]
    known = [condition for condition in found if condition is not None]
    return known if len(known) == len(found) else None


def _own(tenant_id: int, test: str, *parameters: Any, sorted: bool = False) -> Condition:
    """A condition on columns that an index has behind the tenant."""
    keys = f"SELECT d.id FROM devices_device d WHERE d.tenant_id = %s AND {test}"
    return Condition((test, parameters), (keys, [tenant_id, *parameters]), sorted)


def _contains(column: str, text: str) -> Part:
    pattern = f"%{connection.ops.prep_for_like_query(text)}%"
    if connection.vendor == "postgresql" and text.isascii():
        return CONTAINS_ASCII.format(column), [pattern.upper(), pattern]
    return CONTAINS[connection.vendor].format(column), [pattern]


def _text(column: str) -> Callable[[int, str], Condition]:
    def condition(tenant_id: int, text: str) -> Condition:
        test, parameters = _contains(f"d.{column}", text)
        return _own(tenant_id, test, *parameters)

    return condition


def _value(column: str) -> Callable[[int, str], Condition]:
    """Contains a text, in a column that has few different values."""

    def condition(tenant_id: int, text: str) -> Condition:
        contains, pattern = _contains("value", text)
        values = VALUES.format(column, contains)
        keys = f"SELECT d.id FROM devices_device d WHERE d.tenant_id = %s AND d.{column} IN ({values})"
        return Condition(_contains(f"d.{column}", text), (keys, [tenant_id] * 3 + [*pattern]))

    return condition


def _user(test: Callable[[Any], Part]) -> Callable[[int, Any], Condition]:
    def condition(tenant_id: int, value: Any) -> Condition:
        matches, parameters = test(value)
        exists = f"EXISTS (SELECT 1 FROM devices_user u WHERE u.id = d.user_id AND {matches})"
        # SQLite reads the users first because of the CROSS. The index of their devices does not have the tenant.
        keys = f"SELECT d.id FROM devices_user u {CROSS[connection.vendor]} devices_device d ON d.user_id = u.id "
        keys += f"WHERE u.tenant_id = %s AND {matches}"
        return Condition((exists, parameters), (keys, [tenant_id, *parameters]))

    return condition


def _tag(column: str) -> Callable[[int, Any], Condition | None]:
    def condition(tenant_id: int, value: Any) -> Condition | None:
        values = value if isinstance(value, list) else [value]
        stored = [_uuid(each) if isinstance(each, UUID) else each for each in values]
        tags = f"SELECT id FROM devices_tag WHERE tenant_id = %s AND {column} IN ({_places(stored)})"
        found = [key for (key,) in sql.rows(tags, tenant_id, *stored)]
        if not found:
            return None
        among = f"t.tag_id IN ({_places(found)})"
        exists = f"EXISTS (SELECT 1 FROM devices_device_tags t WHERE t.device_id = d.id AND {among})"
        if len(found) > MERGED:
            return Condition(
                (exists, found), (f"SELECT DISTINCT t.device_id AS id FROM devices_device_tags t WHERE {among}", found)
            )
        keys = UNION.join(["SELECT device_id AS id FROM devices_device_tags WHERE tag_id = %s"] * len(found))
        return Condition((exists, found), (keys, found), sorted=True)

    return condition


def _blueprint(tenant_id: int, text: str) -> Condition | None:
    """The Blueprints are found first: of one that is known, an index has the devices in their order."""
    hexadecimal = HEXADECIMAL[connection.vendor]
    contains = CONTAINS[connection.vendor].format(hexadecimal)
    pattern = f"%{connection.ops.prep_for_like_query(text.replace('-', ''))}%"
    blueprints = f"SELECT id FROM devices_blueprint WHERE tenant_id = %s AND {contains}"
    found = [key for (key,) in sql.rows(blueprints, tenant_id, pattern)]
    if not found:
        return None
    test = f"d.blueprint_id IN ({_places(found)})"
    return Condition((test, found), (f"SELECT d.id FROM devices_device d WHERE {test}", found), sorted=len(found) == 1)


def _mac_address(tenant_id: int, address: str) -> Condition:
    """Addresses are stored as they were reported, in either case and with either separator."""
    spellings = sorted({address.upper().replace(old, new) for old, new in ("::", ":-", "-:")})
    return _own(tenant_id, f"UPPER(d.mac_address) IN ({_places(spellings)})", *spellings)


def _platform(tenant_id: int, platform: str) -> Condition:
    return _own(tenant_id, "d.platform = %s", platform, sorted=True)


def _filevault(tenant_id: int, enabled: bool) -> Condition:
    return _own(tenant_id, "d.platform = %s AND d.filevault_enabled = %s", Platform.MAC.value, enabled, sorted=True)


def _device_id(tenant_id: int, uuid: UUID) -> Condition:
    return _own(tenant_id, "d.uuid = %s", _uuid(uuid))


def _uuid(value: UUID) -> UUID | str:
    return value if connection.features.has_native_uuid_field else value.hex


def _places(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


FILTERS: Mapping[str, Callable[[int, Any], Condition | None]] = {
    "asset_tag": _text("asset_tag"),
    "blueprint_id": _blueprint,
    "device_id": _device_id,
    "device_name": _text("name"),
    "filevault_enabled": _filevault,
    "mac_address": _mac_address,
    "model": _value("model"),
    "os_version": _value("os_version"),
    "platform": _platform,
    "serial_number": _text("serial_number"),
    "tag_id": _tag("uuid"),
    "tag_id_in": _tag("uuid"),
    "tag_name": _tag("name"),
    "tag_name_in": _tag("name"),
    "user": _user(lambda text: _contains("u.name", text)),
    "user_email": _user(lambda text: _contains("u.email", text)),
    "user_email_exact": _user(lambda address: ("u.email = %s", [address])),
    "user_id": _user(lambda uuid: ("u.uuid = %s", [_uuid(uuid)])),
    "user_name": _user(lambda text: _contains("u.name", text)),
}
