"""Attempts to sign in, counted per account and per network."""

from django.db import models


class SignInAttempt(models.Model):
    """One password attempt that has not succeeded. Rows older than the window are not counted."""

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
