from django.db import models
from django.db.models import Q

from access.models.tenants import Tenant


class OwnerNotice(models.Model):
    """An event that the Account Owner of the tenant gets a mail about. One mail tells of all that wait."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="owner_notices")
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=320, help_text="Name of the token or webhook.")
    path = models.CharField(max_length=200, help_text="Path of its page.")
    facts = models.JSONField(default=dict, help_text="{label: text}, as the mail shows them. Never a secret.")
    created_at = models.DateTimeField()
    # The mail that it is in. A worker that is lost leaves it here, and the next run of its task sends the same mail.
    mail = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "claimed_at"], name="owner_notice_mail"),
            models.Index(fields=["created_at"], name="owner_notice_unsent", condition=Q(mailed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"
