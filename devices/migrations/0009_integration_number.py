from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forget_own_numbers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Imported users without a directory have an integration of ours, whose number no tenant ever had."""
    apps.get_model("devices", "DirectoryIntegration").objects.filter(type="import").update(number=None)


class Migration(migrations.Migration):
    dependencies = [("devices", "0008_record_json")]
    operations = [
        migrations.AlterField(
            "DirectoryIntegration",
            "number",
            models.PositiveIntegerField(
                blank=True,
                null=True,
                help_text="The integer id that the API answers. Only an imported integration has one.",
            ),
        ),
        migrations.RunPython(forget_own_numbers, migrations.RunPython.noop),
    ]
