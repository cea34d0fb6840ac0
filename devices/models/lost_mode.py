from django.db import models

from devices.models.devices import Device


class LostMode(models.Model):
    """The lost mode of a device, with its location and sound. The row is deleted when lost mode ends.

    Values that an import did not contain are empty or null.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="lost_mode")
    status = models.CharField(max_length=50)
    enabled_by = models.CharField(max_length=310, blank=True)
    enable_status_at = models.DateTimeField(null=True)
    message = models.TextField(blank=True)
    phone_number = models.CharField(max_length=100, blank=True)
    footnote = models.TextField(blank=True)
    disable_status = models.CharField(max_length=50, blank=True)
    disabled_by = models.CharField(max_length=310, blank=True)
    disable_status_at = models.DateTimeField(null=True)
    location_status = models.CharField(max_length=50, blank=True)
    location_status_at = models.DateTimeField(null=True)
    latitude = models.CharField(max_length=30, blank=True)
    longitude = models.CharField(max_length=30, blank=True)
    location_at = models.DateTimeField(null=True)
    sound_status = models.CharField(max_length=50, blank=True)
    sound_status_at = models.DateTimeField(null=True)
    # The fields as they were before the request that waits, for the case that it is cancelled. None: no Lost Mode.
    before_request = models.JSONField(null=True, editable=False)
    imported = models.BooleanField(default=False, editable=False)  # an import changes and deletes only imported rows

    def __str__(self) -> str:
        return self.status
