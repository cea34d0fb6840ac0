"""What a device is to have of the Library, and what it has."""

from django.db import models
from django.db.models import Q

from devices.models.devices import Device
from devices.models.library import LibraryItem


class DeviceItem(models.Model):
    """A library item on one enrolled device: the version that it is to have, and the one that it showed last.

    Only `devices.library.desired` writes these rows, and the statuses that follow from them. A version is a text that
    differs for each content of the item; it is empty for "not on the device".
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for the device"
        SENT = "sent", "The device took it, and has not shown it yet"
        DONE = "done", "As wanted"
        FAILED = "failed", "Failed"
        UNFIT = "unfit", "Not possible on this device"

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="items", db_index=False)
    # The row outlives its item: a device still has to remove it.
    item = models.ForeignKey(LibraryItem, on_delete=models.SET_NULL, null=True, related_name="device_items")
    item_uuid = models.UUIDField()
    type = models.CharField(max_length=40, help_text="The type of the item.")
    identifier = models.CharField(max_length=255, blank=True, help_text="By which the device knows it.")
    declared = models.PositiveIntegerField(
        default=0, db_default=0, help_text="The revision of its declaration; 0 for an item that gets there by commands."
    )
    wanted = models.CharField(max_length=64, blank=True)
    sent = models.CharField(max_length=64, blank=True, help_text="The version that was last delivered.")
    sent_at = models.DateTimeField(null=True, help_text="When the device took it, or its removal.")
    shown = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Failures in a row.")
    next_at = models.DateTimeField(null=True, help_text="When it is tried or looked at again.")
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "item_uuid"], name="device_item_once")]
        indexes = [models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="device_item_due")]

    def __str__(self) -> str:
        return f"{self.item_uuid} on device {self.device_id}: {self.state}"
