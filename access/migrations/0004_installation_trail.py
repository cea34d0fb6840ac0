"""Events and a head without a tenant: the trail of the installation, for its operators."""

import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models

# As in 0002_append_only, for rows without a tenant too.
NO_REPLACE = """
    CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON access_auditevent
    WHEN EXISTS (
        SELECT 1 FROM access_auditevent
        WHERE id = NEW.id OR ulid = NEW.ulid OR (tenant_id IS NEW.tenant_id AND sequence = NEW.sequence)
    )
    BEGIN SELECT RAISE(ABORT, 'The audit trail is append-only.'); END
"""
NO_CHANGE = """
    CREATE TRIGGER audit_event_no_{0} BEFORE {0} ON access_auditevent
    BEGIN SELECT RAISE(ABORT, 'The audit trail is append-only.'); END
"""


def guard_again(apps, schema_editor):
    # SQLite made the table anew, without its triggers. PostgreSQL altered it, and kept them.
    if schema_editor.connection.vendor == "sqlite":
        for statement in (NO_CHANGE.format("update"), NO_CHANGE.format("delete"), NO_REPLACE):
            schema_editor.execute(statement)


def copy_heads(apps, schema_editor):
    head = apps.get_model("access", "AuditHead")
    for old in apps.get_model("access", "OldAuditHead").objects.all():
        head.objects.create(tenant_id=old.tenant_id, sequence=old.sequence, mac=old.mac)
    head.objects.create(tenant=None)


class Migration(migrations.Migration):
    dependencies = [("access", "0003_tasks")]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="tenant",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="audit_events",
                to="access.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="sequence",
            field=models.PositiveBigIntegerField(help_text="Counts the events of the trail without a gap."),
        ),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("tenant__isnull", True)), fields=("sequence",), name="audit_installation_sequence"
            ),
        ),
        migrations.RunPython(guard_again, migrations.RunPython.noop),
        # The tenant was the primary key, which is never null; not every database can move a primary key.
        migrations.RenameModel("AuditHead", "OldAuditHead"),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.PositiveBigIntegerField(default=0)),
                ("mac", models.CharField(blank=True, max_length=64)),
                (
                    "tenant",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="audit_head",
                        to="access.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.comparison.Coalesce(
                            "tenant", 0, output_field=models.BigIntegerField()
                        ),
                        name="audit_one_installation_head",
                    )
                ]
            },
        ),
        migrations.RunPython(copy_heads),
        migrations.DeleteModel("OldAuditHead"),
    ]
