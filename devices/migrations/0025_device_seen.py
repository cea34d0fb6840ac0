"""The last contact of each device, in a table of its own.

A page of it is filled by half on PostgreSQL: the new version of a row then finds room beside the old one, and no index
is written.
"""

import django.db.models.deletion
from django.db import migrations, models


def leave_room(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE devices_deviceseen SET (fillfactor = 50)")


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0024_assign_user'),
    ]

    operations = [
        migrations.CreateModel(
            name='DeviceSeen',
            fields=[
                ('device', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='seen', serialize=False, to='devices.device')),
                ('at', models.DateTimeField()),
                ('copied', models.DateTimeField(help_text='The value of `at` that the row of the device has.', null=True)),
            ],
            options={
                'verbose_name_plural': 'devices seen',
            },
        ),
        migrations.RunPython(leave_room, migrations.RunPython.noop),
    ]
