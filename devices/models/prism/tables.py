"""The tables of Prism, made from the declared categories.

A report stores that a device reported a category, and when. Each category has two more tables: contents, which are the
values of a row, and rows, each of which is one content in one report. Devices of a fleet mostly have the same apps and
settings. So thousands of rows share a content, and a filter tests contents instead of rows. Each content and each
report stores the number of its rows, so the number of matching rows is a sum. See docs/decisions/prism-rows.md.
"""

import uuid
from typing import Any

from django.db import models

from access.models import Tenant
from devices.models.devices import Device
from devices.models.files import StoredFile
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.columns import Category, Column


class PrismTotal(models.Model):
    """The number of rows of a category."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="prism_totals", db_index=False)
    category = models.CharField(max_length=40)
    row_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "category"], name="prism_total")]

    def __str__(self) -> str:
        return f"{self.category}: {self.row_count} rows"


class PrismReport(models.Model):
    """The report of one device for one category. Its rows refer to the device only through it."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="prism_reports", db_index=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="prism_reports", db_index=False)
    category = models.CharField(max_length=40)
    row_count = models.PositiveIntegerField(default=0)
    collected_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "category"], name="prism_report")]
        indexes = [
            models.Index(fields=["tenant", "category", "device", "row_count"], name="prism_report_list"),
        ]

    def __str__(self) -> str:
        return f"{self.category} of {self.device_id}"


class PrismContent(models.Model):
    """The values that rows share. `digest` is computed from all values, and `key` from the category's natural key."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=64)
    key = models.TextField()
    row_count = models.PositiveIntegerField(default=0)
    # The values of columns with unknown type, except nulls.
    extra = models.JSONField(default=dict)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.key


class PrismRow(models.Model):
    """The current state of a row. `created_at` is the time of its first report, `updated_at` of its last change."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    report = models.ForeignKey(PrismReport, on_delete=models.CASCADE, related_name="%(class)ss", db_index=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.pk)


class PrismExport(models.Model):
    """A category as a CSV file, which the worker writes."""

    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCESS = "success"
        FAILED = "failed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="exports", db_index=False)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    category = models.CharField(max_length=40)
    # The arguments of the request: filter, columns, sort_by, blueprint_ids and device_families, as in the API.
    args = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    error_message = models.TextField(blank=True)
    row_count = models.PositiveBigIntegerField(null=True)
    file = models.ForeignKey(StoredFile, on_delete=models.SET_NULL, null=True, related_name="+")
    attempts = models.PositiveSmallIntegerField(default=0)
    requested_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="prism_export")]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="prism_export_newest"),
            models.Index(fields=["created_at"], name="prism_export_age"),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.uuid}"


def _field(column: Column) -> "models.Field[Any, Any]":
    match column.kind:
        case "text":
            return models.TextField(null=True) if column.null else models.TextField(default="")
        case "boolean":
            return models.BooleanField(null=True) if column.null else models.BooleanField(default=False)
        case "integer":
            return models.BigIntegerField(null=True) if column.null else models.BigIntegerField(default=0)
        case "number":
            return models.FloatField(null=True) if column.null else models.FloatField(default=0.0)
        case "date":
            return models.DateTimeField(null=True)
        case "json":
            return models.JSONField(null=True)
    raise ValueError(f"{column.key} has no field: {column.kind}.")


def _model(name: str, base: type[models.Model], fields: dict[str, Any], meta: dict[str, Any]) -> Any:
    meta = {"app_label": "devices", **meta}
    return type(name, (base,), {"__module__": __name__, **fields, "Meta": type("Meta", (), meta)})


def _content_table(category: Category) -> Any:
    return _model(
        f"Prism{category.table.title()}Content",
        PrismContent,
        {column.key: _field(column) for column in category.stored("content")},
        {
            "constraints": [
                models.UniqueConstraint(fields=["tenant", "digest"], name=f"prism_{category.table}_content")
            ],
        },
    )


def _row_table(category: Category, contents: Any) -> Any:
    short = f"prism_{category.table}"
    content = models.ForeignKey(contents, on_delete=models.RESTRICT, related_name="rows", db_index=False)
    return _model(
        f"Prism{category.table.title()}Row",
        PrismRow,
        {"content": content, **{column.key: _field(column) for column in category.stored("row")}},
        {
            "constraints": [models.UniqueConstraint(fields=["report", "content"], name=f"{short}_row")],
            "indexes": [
                # For a walk of all rows, for a walk of one content's rows, and for the rows changed since a given time.
                models.Index(fields=["tenant", "created_at", "id", "content"], name=f"{short}_walk"),
                models.Index(fields=["content", "created_at", "id"], name=f"{short}_same"),
                models.Index(fields=["tenant", "updated_at", "id"], name=f"{short}_changed"),
            ],
        },
    )


# By the name of the category. A type checker knows none of their fields, because they are made at import.
CONTENTS: dict[str, Any] = {name: _content_table(category) for name, category in CATEGORIES.items()}
ROWS: dict[str, Any] = {name: _row_table(category, CONTENTS[name]) for name, category in CATEGORIES.items()}
