from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("devices", "0009_integration_number")]
    operations = [
        migrations.RemoveIndex("Device", "device_mac_address"),
        migrations.AddIndex("Device", models.Index("tenant", Upper("mac_address"), name="device_mac_upper")),
    ]
