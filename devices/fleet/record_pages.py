"""Reading prepared records: the two SELECTs that integrations run all day, and their filtered form."""

from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Func, Subquery, TextField
from django.db.models.functions import Coalesce

from access.statements import Statement
from devices.models.devices import Device, DeviceQuerySet, Fleet

_TENANT, _LIMIT, _OFFSET = 987_650_001, 987_650_002, 987_650_003
_UUID = UUID("98765000-0000-4000-8000-000000000004")


class _Joined(Func):
    """SQLite: the records of all rows in one value, as the bytes that are sent; null where there are no rows.

    With each row that it fetches, its driver lets other threads have the interpreter, and then has to wait for it.
    """

    template = "CAST(GROUP_CONCAT(%(expressions)s) AS BLOB)"
    arg_joiner = ", ',' ORDER BY "
    output_field = TextField()

    def __init__(self) -> None:
        super().__init__("record_json", "pk")

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        joined = self.copy()
        if not connection.features.supports_aggregate_order_by_clause:
            # Before 3.44 it joins them as it finds them: by primary key, for that is what they are looked up by.
            joined.set_source_expressions(self.get_source_expressions()[:1])
        return joined.as_sql(compiler, connection, **context)


def _count(tenant: int) -> Subquery:
    return Subquery(Fleet.objects.filter(tenant_id=tenant).values("device_count"))


def _page(tenant: int, limit: int, offset: int) -> DeviceQuerySet:
    return Device.objects.filter(tenant_id=tenant).order_by("pk")[offset : offset + limit]


_one = Statement(
    lambda tenant, uuid: Device.objects.filter(tenant_id=tenant, uuid=uuid).values_list("record_json"), _TENANT, _UUID
)
_PLACE = (_TENANT, _LIMIT, _OFFSET)
_near = Statement(lambda tenant, *place: _page(tenant, *place).values_list("record_json", _count(tenant)), *_PLACE)
# The inner query walks a narrow index to a deep offset; only the rows of the page are fetched whole.
_far = Statement(
    lambda tenant, *place: (
        Device.objects.filter(pk__in=_page(tenant, *place).values("pk"))
        .order_by("pk")
        .values_list("record_json", _count(tenant))
    ),
    *_PLACE,
)
_joined = Statement(
    lambda tenant, *place: Device.objects.filter(pk__in=_page(tenant, *place).values("pk")).values_list(
        _Joined(), _count(tenant)
    ),
    *_PLACE,
)
NEAR = 1000  # rows: up to there PostgreSQL is faster when it reads what it skips


def record_of(tenant_id: int, uuid: UUID) -> str:
    """The prepared record of one device. Raises Device.DoesNotExist."""
    value = uuid if connection.features.has_native_uuid_field else uuid.hex
    rows = _one.rows(tenant_id, value)
    if not rows:
        raise Device.DoesNotExist
    return str(rows[0][0])


def record_page(tenant_id: int, *, limit: int, offset: int) -> tuple[str | bytes, int]:
    """A page of the whole fleet as a JSON array of prepared records, and the number of its devices."""
    place = tenant_id, limit, offset
    if connection.vendor == "sqlite":
        ((joined, total),) = _joined.rows(*place)
        return b"[%b]" % (joined or b""), total or 0
    if rows := (_near if offset <= NEAR else _far).rows(*place):
        return f"[{','.join(record for record, _ in rows)}]", rows[0][1] or 0
    return "[]", Fleet.objects.filter(tenant=tenant_id).values_list("device_count", flat=True).first() or 0


def filtered_record_page(devices: DeviceQuerySet, *, limit: int, offset: int) -> tuple[str, int]:
    """A page of `devices`, in their order, as a JSON array of prepared records, and how many those are in all."""
    total = devices.order_by().values("tenant").annotate(n=Count("pk")).values("n")
    # The outer query knows the page's primary keys and nothing of the filters, which PostgreSQL would test again.
    page = Device.objects.filter(pk__in=devices.values("pk")[offset : offset + limit]).order_by(*devices.query.order_by)
    rows = list(page.annotate(total=Coalesce(Subquery(total), 0)).values_list("record_json", "total"))
    return f"[{','.join(record for record, _ in rows)}]", rows[0][1] if rows else devices.order_by().count()
