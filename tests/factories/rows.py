"""A row in every table of a tenant, made from the models: also in tables that no factory knows."""

import secrets
import uuid
from datetime import date, time
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from access.maintenance.tenant_tables import Table, tables
from access.models import Tenant
from tests.factories.everything import something_of_everything

# These keep a trail, and are filled by what happens.
TRAIL = {"access.AuditEvent", "access.AuditHead", "access.AuditAnchor"}


def rows_in_every_table(tenant: Tenant) -> None:
    """Give the tenant a row in every table that has rows of tenants; only the anchors of its trail may have none."""
    something_of_everything(tenant)
    for table in tables():
        if table.label not in TRAIL and not table.rows(tenant).exists():
            _make(table, tenant)


def _make(table: Table, tenant: Tenant) -> None:
    fields = {
        field.attname: value
        for field in table.model._meta.concrete_fields
        if not isinstance(field, models.AutoField) and (value := _value(field, tenant)) is not None
    }
    with transaction.atomic():
        table.model._base_manager.create(**fields)
    assert table.rows(tenant).exists(), f"The new row of {table.label} is not found in its tenant."


def _value(field: Any, tenant: Tenant) -> Any:
    if isinstance(field, models.ForeignKey):
        return _referenced(field, tenant)
    if field.has_default() or field.null:
        return None
    if field.choices:
        return field.choices[0][0]
    match field:
        case models.UUIDField():
            return uuid.uuid4()
        case models.CharField() | models.TextField():
            return secrets.token_hex(min(field.max_length or 20, 20) // 2)
        case models.BooleanField():
            return False
        case models.IntegerField() | models.FloatField():
            return 1
        case models.DateTimeField():
            return timezone.now()
        case models.DateField():
            return date(2026, 1, 1)
        case models.TimeField():
            return time(18)
        case models.BinaryField():
            return b"sealed"
        case models.JSONField():
            return {}
    raise TypeError(f"{field} needs a value of its own here.")


def _referenced(field: Any, tenant: Tenant) -> Any:
    """A row of the tenant, which was made before; of a table without tenants any row."""
    model = field.related_model
    table = next((each for each in tables() if each.model is model), None)
    if table is None:
        return model._base_manager.values_list("pk", flat=True).first() or model._base_manager.create().pk
    return table.rows(tenant).values_list("pk", flat=True).first()
