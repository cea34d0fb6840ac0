from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("devices", "0006_imported_secrets")]
    operations = [migrations.RenameField("Device", "record", "record_json")]
