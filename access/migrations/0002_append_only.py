"""The database itself refuses to change or delete what the audit trail says.

On SQLite, Django alters a table by making it anew, without its triggers: a later migration that touches AuditEvent runs
`add` again. tests/access/services/test_audit.py fails where that was forgotten.
"""

from django.db import migrations

MESSAGE = "The audit trail is append-only."

SQLITE = [
    f"""
    CREATE TRIGGER audit_event_no_{operation.lower()} BEFORE {operation} ON access_auditevent
    BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
    """
    for operation in ("UPDATE", "DELETE")
]
# An INSERT OR REPLACE deletes the row in its way without asking a trigger, so a number that is taken is refused too.
SQLITE.append(f"""
    CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON access_auditevent
    WHEN EXISTS (
        SELECT 1 FROM access_auditevent
        WHERE id = NEW.id OR ulid = NEW.ulid OR (tenant_id = NEW.tenant_id AND sequence = NEW.sequence)
    )
    BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
""")

POSTGRESQL = [
    f"""
    CREATE FUNCTION access_auditevent_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$
    """,
    """
    CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION access_auditevent_append_only()
    """,
]


def add(apps, schema_editor):
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER audit_event_append_only ON access_auditevent")
        schema_editor.execute("DROP FUNCTION access_auditevent_append_only()")
    else:
        for name in ("update", "delete", "replace"):
            schema_editor.execute(f"DROP TRIGGER audit_event_no_{name}")


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    operations = [migrations.RunPython(add, remove)]
