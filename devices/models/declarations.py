"""Declarative management: what the devices of a Blueprint are to have, and what a device says of its declarations."""

from django.db import models
from django.utils import timezone

from devices.models.blueprints import Blueprint
from devices.models.devices import Device
from devices.models.mdm import Enrollment


class RequiredVersion(models.Model):
    """The version of the system that the devices of a Blueprint have to run from a moment on."""

    class Family(models.TextChoices):
        MAC = "mac", "macOS"
        MOBILE = "mobile", "iOS and iPadOS"

    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="required_versions")
    family = models.CharField(max_length=10, choices=Family.choices)
    version = models.CharField(max_length=20)
    # By the clock of each device, wherever it is: neither has a time zone.
    date = models.DateField()
    time = models.TimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["blueprint", "family"], name="required_version_of_a_family")]

    def __str__(self) -> str:
        return f"{self.get_family_display()} {self.version}"


class DeviceDeclarations(models.Model):
    """What one enrollment of a device was told of its declarations, and what the device last said of them.

    Only `devices.declarations` writes it. A device that enrolls again begins anew.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="declarations")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="+")
    # The DeclarationsToken that the device was told, and since when it is the same. Empty: it is to be told.
    token = models.CharField(max_length=64, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)
    # The reported values by the names of their status items.
    status = models.JSONField(default=dict)
    # By identifier: server_token, active, valid, reasons.
    states = models.JSONField(default=dict)
    # Status items that the device could not report, with reasons.
    errors = models.JSONField(default=list)
    # Identifiers that the device named and was never given. Each is in the log once.
    strangers = models.JSONField(default=list)
    reported_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "device declarations"

    def __str__(self) -> str:
        return f"Declarations of {self.device_id}"
