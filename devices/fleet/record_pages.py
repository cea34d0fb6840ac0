"""Reading prepared records: the two SELECTs that integrations run all day, and their filtered form."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from access import sql
from access.tokens.authentication import Beside
from devices.fleet.record_filters import Condition, Order, Part, conditions, order_of
from devices.fleet.records import with_last_check_in
from devices.models.devices import Device

ONE = """
SELECT record_json, last_check_in, at
FROM devices_device LEFT JOIN devices_deviceseen ON id = device_id
WHERE tenant_id = %s AND uuid = %s
"""
# The same columns, of a device of the tenant whose token is looked up.
ONE_COLUMNS = "device.record_json, device.last_check_in, seen.at"
ONE_JOINS = """
LEFT JOIN devices_device AS device ON device.tenant_id = tenant.id AND device.uuid = %s
LEFT JOIN devices_deviceseen AS seen ON seen.device_id = device.id
""".strip()

# A page of the whole fleet. Each of the following takes tenant, tenant, limit and offset.
NEAR = """
SELECT record_json, (SELECT device_count FROM devices_fleet WHERE tenant_id = %s)
FROM devices_device WHERE tenant_id = %s ORDER BY id LIMIT %s OFFSET %s
"""
# The inner query walks a narrow index to a deep offset; only the rows of the page are fetched whole.
FAR = """
SELECT record_json, (SELECT device_count FROM devices_fleet WHERE tenant_id = %s)
FROM devices_device
WHERE id IN (SELECT id FROM devices_device WHERE tenant_id = %s ORDER BY id LIMIT %s OFFSET %s)
ORDER BY id
"""
NEAREST = 1000  # rows: up to this offset PostgreSQL is faster when it reads the rows that it skips
# SQLite: the records of all rows in one value, as the bytes that are sent; null where there are no rows. With each row
# that it fetches, its driver lets other threads have the interpreter, and then has to wait for it.
JOINED = """
SELECT
    CAST(GROUP_CONCAT(record_json, ',' ORDER BY id) AS BLOB),
    (SELECT device_count FROM devices_fleet WHERE tenant_id = %s)
FROM devices_device
WHERE id IN (SELECT id FROM devices_device WHERE tenant_id = %s ORDER BY id LIMIT %s OFFSET %s)
"""
if sqlite3.sqlite_version_info < (3, 44):
    # It joins records as it finds them: by primary key, because it looks them up by that.
    JOINED = JOINED.replace(", ',' ORDER BY id", "")

# ruff: noqa: S608 - each part of a statement is a constant of ours

FEW = 8000  # matches that are sorted after they were found; of more, the first ones are looked for in their order
WALKED = 10_000  # devices that are tested for that at least, before all matches are sorted after all
# The columns that a condition asks about. Without the record, SQLite copies some ten bytes for each of them.
TESTED = (
    "d.id, d.uuid, d.name, d.serial_number, d.model, d.platform, d.os_version, d.asset_tag, d.blueprint_id, d.user_id, "
    "d.mac_address, d.filevault_enabled"
)
# PostgreSQL must not know of a limit: it would read all devices, and hope to find the first matches soon.
LAZY = {"sqlite": "{0}", "postgresql": "WITH found AS MATERIALIZED ({0}) SELECT id FROM found"}
# One value is fetched instead of many rows, as in JOINED.
IDS = {"sqlite": "JSON_GROUP_ARRAY(id)", "postgresql": "ARRAY_AGG(id)"}
AMONG = {"sqlite": "IN (SELECT value FROM JSON_EACH(%s))", "postgresql": "= ANY(%s)"}


def record_beside_token(uuid: UUID) -> Beside:
    """The columns of `record_in`."""
    return Beside(ONE_COLUMNS, ONE_JOINS, (_stored(uuid),))


def record_of(tenant_id: int, uuid: UUID) -> str:
    """The prepared record of one device, with its newest contact as the last check-in. Raises Device.DoesNotExist."""
    rows = sql.rows(ONE, tenant_id, _stored(uuid))
    return record_in(rows[0] if rows else (None, None, None))


def record_in(columns: Sequence[Any]) -> str:
    """The record, as `record_of` returns it. Raises Device.DoesNotExist where they are all None."""
    record, stored, seen = columns
    if record is None:
        raise Device.DoesNotExist
    if seen is None or (stored is not None and seen <= stored):
        return str(record)
    return with_last_check_in(record, sql.aware(seen))


def _stored(uuid: UUID) -> Any:
    return uuid if connection.features.has_native_uuid_field else uuid.hex


def record_page(tenant_id: int, *, limit: int, offset: int) -> tuple[str | bytes, int]:
    """A page of the whole fleet as a JSON array of prepared records, and the number of its devices."""
    parameters = tenant_id, tenant_id, limit, offset
    if connection.vendor == "sqlite":
        ((joined, total),) = sql.rows(JOINED, *parameters)
        return b"[%b]" % (joined or b""), total or 0
    if rows := sql.rows(NEAR if offset <= NEAREST else FAR, *parameters):
        return f"[{','.join(record for record, _ in rows)}]", rows[0][1] or 0
    return "[]", _fleet_size(tenant_id)


def filtered_record_page(
    tenant_id: int, filters: Mapping[str, Any], names: Sequence[str], *, limit: int, offset: int
) -> tuple[str | bytes, int]:
    """A page of the devices that match, in the order of `names`, and the number of all that match.

    `record_filters` has the filters and the names. A planner does not know how many devices contain a text, and sorts
    many of them, or looks for few along the whole of an index. So the first matches are counted before the rest.
    """
    order, matching = order_of(names), conditions(tenant_id, filters)
    if matching is None:
        return "[]", 0
    if not matching:
        page = f"SELECT d.id FROM {order.tables} WHERE {order.tenant} = %s ORDER BY {order.terms} LIMIT %s OFFSET %s"
        return _records(tenant_id, order, page, tenant_id, limit, offset), _fleet_size(tenant_id)
    if not names and len(matching) == 1 and matching[0].sorted:
        source, parameters = matching[0].keys
        page = f"{source} ORDER BY id LIMIT %s OFFSET %s"
        return _records(tenant_id, order, page, *parameters, limit, offset), _count(*matching[0].counted)
    few = _few(matching)
    if few is None:
        keys, total = _page_of_many(tenant_id, order, matching, limit, offset)
        return _records_of(tenant_id, order, keys), total
    if names:
        among = f"d.id {AMONG[connection.vendor]}"
        page = f"SELECT d.id FROM {order.tables} WHERE {among} ORDER BY {order.terms} LIMIT %s OFFSET %s"
        return _records(tenant_id, order, page, _set(few), limit, offset), len(few)
    return _records_of(tenant_id, order, sorted(few)[offset : offset + limit]), len(few)


def _few(matching: Sequence[Condition]) -> list[int] | None:
    """The keys of all devices that match, if one of the conditions is met by no more than FEW."""
    for condition in matching:
        source, parameters = condition.keys
        keys = _all_keys(LAZY[connection.vendor].format(source), *parameters, most=FEW)
        if keys is not None:
            tests, parameters = _tests([other for other in matching if other is not condition])
            among = f"SELECT d.id FROM devices_device d WHERE d.id {AMONG[connection.vendor]}{tests}"
            return _keys(among, _set(keys), *parameters) if tests and keys else keys
    return None


def _page_of_many(
    tenant_id: int, order: Order, matching: Sequence[Condition], limit: int, offset: int
) -> tuple[list[int], int]:
    """The keys of a page, and the number of all that match."""
    tests, parameters = _tests(matching)
    if len(matching) == 1:
        source, every = matching[0].keys
    else:
        source, every = f"SELECT d.id FROM devices_device d WHERE d.tenant_id = %s{tests}", [tenant_id, *parameters]
    total = _count(source, every)
    wanted = min(limit, total - offset)
    if wanted <= 0:
        return [], total
    # So many devices stand before the end of the page, if those that match are spread evenly over the order.
    expected = (offset + wanted) * _fleet_size(tenant_id) // total
    if 2 * expected < total:
        walk = f"SELECT {TESTED} FROM {order.tables} WHERE {order.tenant} = %s ORDER BY {order.terms} LIMIT %s"
        page = f"SELECT d.id FROM ({walk}) d WHERE 1 = 1{tests} LIMIT %s OFFSET %s"
        keys = _keys(page, tenant_id, max(2 * expected, WALKED), *parameters, limit, offset)
        if len(keys) == wanted:
            return keys, total
    found = f"WITH d AS MATERIALIZED ({source}) SELECT d.id FROM d"
    if order.terms != "d.id":
        found = f"SELECT d.id FROM {order.tables} WHERE d.id IN ({source})"
    return _keys(f"{found} ORDER BY {order.terms} LIMIT %s OFFSET %s", *every, limit, offset), total


def _tests(matching: Sequence[Condition]) -> Part:
    tests = [condition.test for condition in matching]
    return "".join(f" AND {test}" for test, _ in tests), [value for _, values in tests for value in values]


def _count(source: str, parameters: Sequence[Any]) -> int:
    ((total,),) = sql.rows(f"SELECT COUNT(*) FROM ({source}) found", *parameters)
    return int(total)


def _keys(source: str, *parameters: Any) -> list[int]:
    """The keys that a SELECT finds, in its order."""
    ((keys,),) = sql.rows(f"SELECT {IDS[connection.vendor]} FROM ({source}) found", *parameters)
    return _list(keys)


def _all_keys(source: str, *parameters: Any, most: int) -> list[int] | None:
    """The keys that a SELECT finds, or None if there are more than `most`: those would take longer to fetch."""
    ids = f"CASE WHEN COUNT(*) <= %s THEN {IDS[connection.vendor]} END"
    statement = f"SELECT {ids}, COUNT(*) FROM ({source} LIMIT %s) found"
    ((keys, count),) = sql.rows(statement, most, *parameters, most + 1)
    return _list(keys) if count <= most else None


def _list(keys: Any) -> list[int]:
    """The value of IDS as a list."""
    found: list[int] = orjson.loads(keys) if isinstance(keys, str) else keys or []
    return found


def _set(keys: Sequence[int]) -> Any:
    return orjson.dumps(keys).decode() if connection.vendor == "sqlite" else list(keys)


def _records_of(tenant_id: int, order: Order, keys: Sequence[int]) -> str | bytes:
    if not keys:
        return "[]"
    return _records(tenant_id, order, f"SELECT id FROM devices_device WHERE id {AMONG[connection.vendor]}", _set(keys))


def _records(tenant_id: int, order: Order, page: str, *parameters: Any) -> str | bytes:
    """The records of the devices whose keys `page` selects, in order, as a JSON array."""
    # The plus keeps the tenant, which is a check and finds no device, from the choice of an index.
    records = (
        f"SELECT d.record_json FROM {order.tables} WHERE d.id IN ({page}) AND +d.tenant_id = %s ORDER BY {order.terms}"
    )
    if connection.vendor == "sqlite":
        joined = f"SELECT CAST(GROUP_CONCAT(record_json, ',') AS BLOB) FROM ({records})"
        ((text,),) = sql.rows(joined, *parameters, tenant_id)
        return b"[%b]" % (text or b"")
    return f"[{','.join(record for (record,) in sql.rows(records, *parameters, tenant_id))}]"


def _fleet_size(tenant_id: int) -> int:
    rows = sql.rows("SELECT device_count FROM devices_fleet WHERE tenant_id = %s", tenant_id)
    return rows[0][0] if rows else 0
