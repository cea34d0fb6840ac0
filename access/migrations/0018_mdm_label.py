from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0017_audit_anchors'),
    ]

    operations = [
        migrations.AddField(
            model_name='tenant',
            name='mdm_label',
            field=models.CharField(editable=False, max_length=63, null=True),
        ),
        migrations.RunSQL('UPDATE access_tenant SET mdm_label = subdomain', migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='tenant',
            name='mdm_label',
            field=models.CharField(editable=False, max_length=63, unique=True),
        ),
    ]
