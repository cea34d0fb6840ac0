import uuid

from django.db import models

from access.models import Tenant
from devices.models.devices import Device


class DeviceNote(models.Model):
    """A note about a device, written by an administrator or an integration."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="device_notes")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="notes")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    content = models.TextField()
    author = models.CharField(max_length=310)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "uuid"], name="note_uuid")]
        indexes = [models.Index(fields=["device", "-created_at", "-id"], name="note_newest")]

    def __str__(self) -> str:
        return self.content[:60]
