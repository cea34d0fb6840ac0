from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0006_webhooks'),
    ]

    operations = [
        migrations.RenameModel('SignInAttempt', 'CountedAttempt'),
        migrations.AlterField(
            model_name='countedattempt',
            name='key',
            field=models.CharField(help_text="Digest of what is limited, and of the account name or the client's network.", max_length=64),
        ),
    ]
