from django.db import models


class SignInAttempt(models.Model):
    """A password that was offered and not (yet) found right. Rows older than the window count for nothing."""

    key = models.CharField(
        max_length=64,
        help_text="Digest of the account name or of the client's network.",
    )
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["key", "at"], name="attempt_key_at"),
            models.Index(fields=["at"], name="attempt_at"),
        ]

    def __str__(self) -> str:
        return f"{self.key[:8]} at {self.at:%Y-%m-%d %H:%M:%S}"
