from django.db import models

from access.models import ApiToken, Tenant


class IdempotentCall(models.Model):
    """A call of the API that creates something, under the key that its client gave it.

    While the call is in progress it has no status. Its answer is committed together with the object that it made.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="idempotent_calls")
    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="idempotent_calls")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the operation and of what it was sent")
    attempt = models.UUIDField(help_text="the request that answers the call; another may take over from a lost one")
    started_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(help_text="the JSON text of the response, sealed")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="idempotency_key")]
        indexes = [models.Index(fields=["started_at"], name="idempotent_call_started")]

    def __str__(self) -> str:
        return self.key
