from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("devices", "0007_users_newest_first")]
    operations = [migrations.RenameField("Device", "record", "record_json")]
