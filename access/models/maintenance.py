from django.db import models


class Backup(models.Model):
    """A backup that was finished and checked. `doctor` and Django admin tell from these rows how old the last one is.

    The row is written after the backup, so a restored database knows of the backups before its own.
    """

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    path = models.CharField(max_length=1000, help_text="The file, as the command named it on its machine.")
    size = models.PositiveBigIntegerField(help_text="In bytes.")
    with_files = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["-finished_at"], name="backup_newest")]

    def __str__(self) -> str:
        return self.path
