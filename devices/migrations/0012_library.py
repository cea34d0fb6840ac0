import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

BATCH = 2000
TEXTS = ("log", "last_audit_log", "control_log")
MOMENTS = ("reported_at", "last_audit_run", "control_reported_at")


def move_statuses(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Turn the JSON lists of library items on devices into rows, and their items into library items.

    A row without the id of an item is left out, because its item is unknown.
    """
    Inventory, Item, Status = (
        apps.get_model("devices", name) for name in ("DeviceInventory", "LibraryItem", "LibraryStatus")
    )
    items: dict[tuple[int, uuid.UUID], int] = {
        (tenant, id): pk for pk, tenant, id in Item.objects.values_list("pk", "tenant_id", "uuid")
    }

    def statuses() -> Iterator[Any]:
        reported = Inventory.objects.exclude(library_items=[]).values_list(
            "device_id", "device__tenant_id", "library_items"
        )
        for device, tenant, rows in reported.iterator(chunk_size=200):
            for id, row in _rows(rows).items():
                if (tenant, id) not in items:
                    name, type_ = str(row.get("name") or "")[:255], str(row.get("type") or "")[:40]
                    items[tenant, id] = Item.objects.create(tenant_id=tenant, uuid=id, name=name, type=type_).pk
                yield Status(item_id=items[tenant, id], device_id=device, **_columns(row))

    batch: list[Any] = []
    for status in statuses():
        batch.append(status)
        if len(batch) == BATCH:
            Status.objects.bulk_create(batch)
            batch = []
    Status.objects.bulk_create(batch)
    if schema_editor.connection.vendor == "postgresql":
        # Check foreign keys now: PostgreSQL cannot alter a table with pending checks.
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _rows(rows: Any) -> dict[uuid.UUID, dict[str, Any]]:
    """The rows by the id of their item; the last row of each item."""
    found: dict[uuid.UUID, dict[str, Any]] = {}
    for row in rows if isinstance(rows, list) else ():
        with suppress(ValueError, AttributeError, TypeError, KeyError):
            found[uuid.UUID(row["item_id"])] = row
    return {id: row for id, row in found.items() if isinstance(row, dict)}


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": str(row.get("status") or "")[:60],
        "rules_present": bool(row.get("rules_present")),
        "edr_status": row.get("edr_status"),
        **{name: str(row[name]) if row.get(name) is not None else None for name in TEXTS},
        **{name: _moment(row.get(name)) for name in MOMENTS},
    }


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0004_installation_trail'),
        ('devices', '0011_idempotency'),
    ]

    operations = [
        migrations.CreateModel(
            name='CustomProfile',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='custom_profile', serialize=False, to='devices.libraryitem')),
                ('profile', models.TextField()),
                ('runs_on_mac', models.BooleanField(default=True)),
                ('runs_on_iphone', models.BooleanField(default=False)),
                ('runs_on_ipad', models.BooleanField(default=False)),
                ('runs_on_tv', models.BooleanField(default=False)),
                ('runs_on_vision', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='CustomScript',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='custom_script', serialize=False, to='devices.libraryitem')),
                ('execution_frequency', models.CharField(choices=[('once', 'Once'), ('every_15_min', 'Every 15 minutes'), ('every_day', 'Every day'), ('no_enforcement', 'Only from Self Service')], max_length=20)),
                ('script', models.TextField()),
                ('remediation_script', models.TextField(blank=True)),
                ('restart', models.BooleanField(default=False, help_text='Restart the device after the script.')),
            ],
        ),
        migrations.AddField(
            model_name='libraryitem',
            name='active',
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name='libraryitem',
            name='created_at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AddField(
            model_name='libraryitem',
            name='self_service_recommended',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='libraryitem',
            name='show_in_self_service',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='libraryitem',
            name='updated_at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.CreateModel(
            name='LibraryActivity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('item_uuid', models.UUIDField()),
                ('activity_time', models.DateTimeField(default=django.utils.timezone.now)),
                ('activity_type', models.CharField(choices=[('library_item_created', 'Created'), ('library_item_edited', 'Edited'), ('library_item_deleted', 'Deleted'), ('library_item_duplicated', 'Duplicated'), ('library_item_assignment_changed', 'Assignment changed')], max_length=60)),
                ('user_id', models.CharField(blank=True, max_length=36)),
                ('user_email', models.CharField(blank=True, max_length=254)),
                ('user_name', models.CharField(blank=True, max_length=310)),
                ('details', models.JSONField(null=True)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='library_activity', to='access.tenant')),
            ],
            options={
                'verbose_name_plural': 'library activity',
            },
        ),
        migrations.CreateModel(
            name='LibraryStatus',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(max_length=60)),
                ('reported_at', models.DateTimeField(null=True)),
                ('log', models.TextField(null=True)),
                ('last_audit_run', models.DateTimeField(null=True)),
                ('last_audit_log', models.TextField(null=True)),
                ('control_log', models.TextField(null=True)),
                ('control_reported_at', models.DateTimeField(null=True)),
                ('rules_present', models.BooleanField(default=False)),
                ('edr_status', models.JSONField(null=True)),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='library_statuses', to='devices.device')),
                ('item', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='statuses', to='devices.libraryitem')),
            ],
            options={
                'verbose_name_plural': 'library statuses',
            },
        ),
        migrations.CreateModel(
            name='SelfServiceCategory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('name', models.CharField(max_length=100)),
                ('position', models.PositiveIntegerField(default=0)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='self_service_categories', to='access.tenant')),
            ],
            options={
                'verbose_name_plural': 'self-service categories',
            },
        ),
        migrations.AddField(
            model_name='libraryitem',
            name='category',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='library_items', to='devices.selfservicecategory'),
        ),
        migrations.AddIndex(
            model_name='libraryitem',
            index=models.Index(fields=['tenant', 'type', 'id'], name='library_item_type'),
        ),
        migrations.AddIndex(
            model_name='libraryactivity',
            index=models.Index(fields=['tenant', 'item_uuid', '-id'], name='library_activity_newest'),
        ),
        migrations.AddIndex(
            model_name='librarystatus',
            index=models.Index(fields=['item', 'status', 'device'], name='library_status_counts'),
        ),
        migrations.AddConstraint(
            model_name='librarystatus',
            constraint=models.UniqueConstraint(fields=('item', 'device'), name='library_status_once'),
        ),
        migrations.AddConstraint(
            model_name='selfservicecategory',
            constraint=models.UniqueConstraint(fields=('tenant', 'uuid'), name='category_uuid'),
        ),
        migrations.AddConstraint(
            model_name='selfservicecategory',
            constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='category_name'),
        ),
        migrations.RunPython(move_statuses, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name='deviceinventory',
            name='library_items',
        ),
    ]
