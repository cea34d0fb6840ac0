"""Audit events may be deleted where an anchor covers them; anchors are never changed or deleted."""

import django.db.models.deletion
from django.db import migrations, models

EVENTS, ANCHORS = "The audit trail is append-only.", "Anchors of the audit trail are append-only."

SQLITE = [
    "DROP TRIGGER audit_event_no_delete",
    f"""
    CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON access_auditevent
    WHEN NOT EXISTS (
        SELECT 1 FROM access_auditanchor WHERE tenant_id IS OLD.tenant_id AND sequence >= OLD.sequence
    )
    BEGIN SELECT RAISE(ABORT, '{EVENTS}'); END
    """,
    *(
        f"""
        CREATE TRIGGER audit_anchor_no_{operation.lower()} BEFORE {operation} ON access_auditanchor
        BEGIN SELECT RAISE(ABORT, '{ANCHORS}'); END
        """
        for operation in ("UPDATE", "DELETE")
    ),
    # An INSERT OR REPLACE deletes the row in its way without asking a trigger.
    f"""
    CREATE TRIGGER audit_anchor_no_replace BEFORE INSERT ON access_auditanchor
    WHEN EXISTS (
        SELECT 1 FROM access_auditanchor
        WHERE id = NEW.id OR (tenant_id IS NEW.tenant_id AND (after = NEW.after OR sequence >= NEW.sequence))
    )
    BEGIN SELECT RAISE(ABORT, '{ANCHORS}'); END
    """,
]
SQLITE_BACK = [
    "DROP TRIGGER audit_event_no_delete",
    f"""
    CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON access_auditevent
    BEGIN SELECT RAISE(ABORT, '{EVENTS}'); END
    """,
    *(f"DROP TRIGGER audit_anchor_no_{operation}" for operation in ("update", "delete", "replace")),
]

POSTGRESQL = [
    "DROP TRIGGER audit_event_append_only ON access_auditevent",
    """
    CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR TRUNCATE ON access_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION access_auditevent_append_only()
    """,
    f"""
    CREATE FUNCTION access_auditevent_anchored() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.tenant_id IS NULL THEN
            PERFORM 1 FROM access_auditanchor WHERE tenant_id IS NULL AND sequence >= OLD.sequence LIMIT 1;
        ELSE
            PERFORM 1 FROM access_auditanchor WHERE tenant_id = OLD.tenant_id AND sequence >= OLD.sequence LIMIT 1;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION '{EVENTS}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN OLD;
    END $$
    """,
    """
    CREATE TRIGGER audit_event_anchored BEFORE DELETE ON access_auditevent
    FOR EACH ROW EXECUTE FUNCTION access_auditevent_anchored()
    """,
    f"""
    CREATE FUNCTION access_auditanchor_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{ANCHORS}' USING ERRCODE = 'integrity_constraint_violation'; END $$
    """,
    """
    CREATE TRIGGER audit_anchor_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_auditanchor
    FOR EACH STATEMENT EXECUTE FUNCTION access_auditanchor_append_only()
    """,
]
POSTGRESQL_BACK = [
    "DROP TRIGGER audit_anchor_append_only ON access_auditanchor",
    "DROP FUNCTION access_auditanchor_append_only()",
    "DROP TRIGGER audit_event_anchored ON access_auditevent",
    "DROP FUNCTION access_auditevent_anchored()",
    "DROP TRIGGER audit_event_append_only ON access_auditevent",
    """
    CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION access_auditevent_append_only()
    """,
]


def guard(apps, schema_editor):
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def guard_as_before(apps, schema_editor):
    for statement in POSTGRESQL_BACK if schema_editor.connection.vendor == "postgresql" else SQLITE_BACK:
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0016_audit_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditAnchor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('after', models.PositiveBigIntegerField(help_text='The last event that the anchor before it covers.')),
                ('sequence', models.PositiveBigIntegerField(help_text='The last event that was removed.')),
                ('mac', models.CharField(help_text='That of the last event.', max_length=64)),
                ('event_key_number', models.PositiveIntegerField(help_text='Which of IRU_AUDIT_KEYS made that MAC.')),
                ('oldest_at', models.DateTimeField(help_text='When the first of these events happened.')),
                ('newest_at', models.DateTimeField(help_text='When the last of them happened.')),
                ('made_at', models.DateTimeField()),
                ('key_number', models.PositiveIntegerField(help_text='Which of IRU_AUDIT_KEYS signed it.')),
                ('signature', models.CharField(help_text='Over this row and the signature before it.', max_length=64)),
                ('tenant', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='audit_anchors', to='access.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'sequence'], name='audit_anchor_sequence')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'after'), name='audit_anchor_after'), models.UniqueConstraint(condition=models.Q(('tenant__isnull', True)), fields=('after',), name='audit_anchor_installation_after')],
            },
        ),
        migrations.RunPython(guard, guard_as_before),
        migrations.AddField(
            model_name='tenant',
            name='deletion_began_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
