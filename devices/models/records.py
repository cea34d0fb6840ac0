"""Reading prepared records: the two SELECTs that integrations run all day, and their filtered form."""

from uuid import UUID

from django.db import connection
from django.db.models import Count, Subquery
from django.db.models.functions import Coalesce

from access.statements import Statement
from devices.models.devices import Device, DeviceQuerySet, Fleet

_TENANT, _LIMIT, _OFFSET = 987_650_001, 987_650_002, 987_650_003
_UUID = UUID("98765000-0000-4000-8000-000000000004")

_one = Statement(
    lambda tenant, uuid: Device.objects.filter(tenant_id=tenant, uuid=uuid).values_list("record"), _TENANT, _UUID
)
_page = Statement(
    # The inner query walks the narrow index to a deep offset; only the rows of the page are fetched whole.
    lambda tenant, limit, offset: (
        Device.objects.filter(
            pk__in=Device.objects.filter(tenant_id=tenant).order_by("pk").values("pk")[offset : offset + limit]
        )
        .order_by("pk")
        .values_list("record", "tenant__fleet__device_count")
    ),
    _TENANT,
    _LIMIT,
    _OFFSET,
)


def record_of(tenant_id: int, uuid: UUID) -> str:
    """The prepared record of one device. Raises Device.DoesNotExist."""
    value = uuid if connection.features.has_native_uuid_field else uuid.hex
    rows = _one.rows(tenant_id, value)
    if not rows:
        raise Device.DoesNotExist
    return str(rows[0][0])


def record_page(tenant_id: int, *, limit: int, offset: int) -> tuple[list[str], int]:
    """Prepared records of a page of the whole fleet, and the number of its devices."""
    rows = _page.rows(tenant_id, limit, offset)
    if rows:
        return [record for record, _ in rows], rows[0][1]
    return [], Fleet.objects.filter(tenant=tenant_id).values_list("device_count", flat=True).first() or 0


def filtered_record_page(devices: DeviceQuerySet, *, limit: int, offset: int) -> tuple[list[str], int]:
    """Prepared records of a page of `devices`, in their order, and how many those are in all."""
    total = devices.order_by().values("tenant").annotate(n=Count("pk")).values("n")
    # The outer query knows the page's primary keys and nothing of the filters, which PostgreSQL would test again.
    page = Device.objects.filter(pk__in=devices.values("pk")[offset : offset + limit]).order_by(*devices.query.order_by)
    rows = page.annotate(total=Coalesce(Subquery(total), 0)).values_list("record", "total")
    if found := list(rows):
        return [record for record, _ in found], found[0][1]
    return [], devices.order_by().count()
