from django.db import models

from access.models import Tenant
from devices.models.blueprints import Blueprint
from devices.models.devices import Device


class DeviceActivity(models.Model):
    """An event in the activity of a device. The keys of `details` depend on `action_type`."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="device_activity")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="activity")
    # The id of an imported event in its source tenant, so that a second import does not add it again.
    imported_id = models.BigIntegerField(null=True, editable=False)
    created_at = models.DateTimeField()
    action_type = models.CharField(max_length=60)
    blueprint = models.ForeignKey(Blueprint, on_delete=models.SET_NULL, null=True, related_name="+")
    blueprint_routing = models.BooleanField(default=False)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "device activity"
        indexes = [models.Index(fields=["device", "-created_at", "-id"], name="activity_newest")]
        constraints = [models.UniqueConstraint(fields=["device", "imported_id"], name="activity_imported_once")]

    def __str__(self) -> str:
        return self.action_type
