"""The limits of a tenant's calls, and the table in which PostgreSQL counts them.

The table has no model: SQLite counts in a file of its own. It is unlogged, because its rows are worth nothing after an
hour, and a change of one waits for no disk and no standby. It has no foreign key either: Django could then not empty
the table of tenants.
"""

import django.core.validators
from django.db import migrations, models

TABLE = """
CREATE UNLOGGED TABLE access_allowance (
    tenant_id bigint PRIMARY KEY,
    second_full double precision NOT NULL,
    hour_full double precision NOT NULL
) WITH (fillfactor = 50)
"""
CALLS = [django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1_000_000_000)]


def add(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TABLE)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TABLE access_allowance")


class Migration(migrations.Migration):
    dependencies = [("access", "0013_identity_provider")]
    operations = [
        migrations.AddField(
            model_name="tenant",
            name="calls_per_hour",
            field=models.PositiveIntegerField(
                "calls an hour",
                default=10_000,
                help_text="Calls of the API and of AI assistants, of all tokens together. A call beyond is answered 429.",
                validators=CALLS,
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="calls_per_second",
            field=models.PositiveIntegerField(
                "calls a second", default=50, help_text="The same, within a second.", validators=CALLS
            ),
        ),
        migrations.RunPython(add, remove),
    ]
