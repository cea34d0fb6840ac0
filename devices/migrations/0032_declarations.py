import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0028_versions'),
    ]

    operations = [
        migrations.AddField(
            model_name='enrollment',
            name='declared',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=100),
        ),
        migrations.CreateModel(
            name='DeviceDeclarations',
            fields=[
                ('device', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='declarations', serialize=False, to='devices.device')),
                ('token', models.CharField(blank=True, max_length=64)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('status', models.JSONField(default=dict)),
                ('states', models.JSONField(default=dict)),
                ('errors', models.JSONField(default=list)),
                ('strangers', models.JSONField(default=list)),
                ('reported_at', models.DateTimeField(null=True)),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='devices.enrollment')),
            ],
            options={
                'verbose_name_plural': 'device declarations',
            },
        ),
        migrations.CreateModel(
            name='RequiredVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('family', models.CharField(choices=[('mac', 'macOS'), ('mobile', 'iOS and iPadOS')], max_length=10)),
                ('version', models.CharField(max_length=20)),
                ('date', models.DateField()),
                ('time', models.TimeField()),
                ('blueprint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='required_versions', to='devices.blueprint')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('blueprint', 'family'), name='required_version_of_a_family')],
            },
        ),
    ]
