import uuid

from django.db import models

from access.models import Tenant


class Tag(models.Model):
    """A label on devices. Names are case-sensitive, as in the API's tag filters."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="tags")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uuid"], name="tag_uuid"),
            models.UniqueConstraint(fields=["tenant", "name"], name="tag_name"),
        ]

    def __str__(self) -> str:
        return self.name
