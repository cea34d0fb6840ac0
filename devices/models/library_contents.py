"""The contents of library items. Each kind has a table with a row for the item."""

from django.db import models

from devices.models.library import LibraryItem


class CustomScript(models.Model):
    """A script that the agent runs on Macs, and a second one that corrects the problems that the first one finds."""

    class Frequency(models.TextChoices):
        ONCE = "once", "Once"
        EVERY_15_MINUTES = "every_15_min", "Every 15 minutes"
        EVERY_DAY = "every_day", "Every day"
        NO_ENFORCEMENT = "no_enforcement", "Only from Self Service"

    item = models.OneToOneField(LibraryItem, on_delete=models.CASCADE, primary_key=True, related_name="custom_script")
    execution_frequency = models.CharField(max_length=20, choices=Frequency.choices)
    script = models.TextField()
    remediation_script = models.TextField(blank=True)
    restart = models.BooleanField(default=False, help_text="Restart the device after the script.")

    def __str__(self) -> str:
        return f"Script of library item {self.item_id}"


class CustomProfile(models.Model):
    """A configuration profile. `profile` is the XML that devices get, with the identifiers of this server."""

    item = models.OneToOneField(LibraryItem, on_delete=models.CASCADE, primary_key=True, related_name="custom_profile")
    profile = models.TextField()
    runs_on_mac = models.BooleanField(default=True)
    runs_on_iphone = models.BooleanField(default=False)
    runs_on_ipad = models.BooleanField(default=False)
    runs_on_tv = models.BooleanField(default=False)
    runs_on_vision = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"Profile of library item {self.item_id}"
