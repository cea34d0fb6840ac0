"""Attempts of callers that have not shown who they are, counted to limit them."""

from django.db import models


class CountedAttempt(models.Model):
    """A password attempt that has not succeeded, or a report of a leaked token. Old rows are not counted."""

    key = models.CharField(
        max_length=64,
        help_text="Digest of what is limited, and of the account name or the client's network.",
    )
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["key", "at"], name="attempt_key_at"),
            models.Index(fields=["at"], name="attempt_at"),
        ]

    def __str__(self) -> str:
        return f"{self.key[:8]} at {self.at:%Y-%m-%d %H:%M:%S}"
