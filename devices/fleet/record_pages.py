"""Reading prepared records: the two SELECTs that integrations run all day, and their filtered form."""

import sqlite3
from uuid import UUID

from django.db import connection
from django.db.models import Count, Subquery
from django.db.models.functions import Coalesce

from access import sql
from devices.fleet.records import with_last_check_in
from devices.models.devices import Device, DeviceQuerySet, Fleet

ONE = """
SELECT record_json, last_check_in, at
FROM devices_device LEFT JOIN devices_deviceseen ON id = device_id
WHERE tenant_id = %s AND uuid = %s
"""

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


def record_of(tenant_id: int, uuid: UUID) -> str:
    """The prepared record of one device, with its newest contact as the last check-in. Raises Device.DoesNotExist."""
    value = uuid if connection.features.has_native_uuid_field else uuid.hex
    rows = sql.rows(ONE, tenant_id, value)
    if not rows:
        raise Device.DoesNotExist
    ((record, stored, seen),) = rows
    if seen is None or (stored is not None and seen <= stored):
        return str(record)
    return with_last_check_in(record, sql.aware(seen))


def record_page(tenant_id: int, *, limit: int, offset: int) -> tuple[str | bytes, int]:
    """A page of the whole fleet as a JSON array of prepared records, and the number of its devices."""
    parameters = tenant_id, tenant_id, limit, offset
    if connection.vendor == "sqlite":
        ((joined, total),) = sql.rows(JOINED, *parameters)
        return b"[%b]" % (joined or b""), total or 0
    if rows := sql.rows(NEAR if offset <= NEAREST else FAR, *parameters):
        return f"[{','.join(record for record, _ in rows)}]", rows[0][1] or 0
    return "[]", Fleet.objects.filter(tenant=tenant_id).values_list("device_count", flat=True).first() or 0


def filtered_record_page(devices: DeviceQuerySet, *, limit: int, offset: int) -> tuple[str, int]:
    """A page of `devices`, in their order, as a JSON array of prepared records, and how many those are in all."""
    total = devices.order_by().values("tenant").annotate(n=Count("pk")).values("n")
    # The outer query knows the page's primary keys and nothing of the filters, which PostgreSQL would test again.
    page = Device.objects.filter(pk__in=devices.values("pk")[offset : offset + limit]).order_by(*devices.query.order_by)
    rows = list(page.annotate(total=Coalesce(Subquery(total), 0)).values_list("record_json", "total"))
    return f"[{','.join(record for record, _ in rows)}]", rows[0][1] if rows else devices.order_by().count()
