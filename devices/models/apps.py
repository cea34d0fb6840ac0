"""The contents of library items that are apps. Each has an uploaded file, which several apps may share."""

from django.db import models

from devices.models.files import StoredFile
from devices.models.library import LibraryItem


class CustomApp(models.Model):
    """Software for Macs: a package, an archive or a disk image. The metadata of its file has what a package says."""

    class InstallType(models.TextChoices):
        PACKAGE = "package", "Installer package"
        ZIP = "zip", "ZIP archive"
        IMAGE = "image", "Disk image"

    class Enforcement(models.TextChoices):
        ONCE = "install_once", "Install once"
        CONTINUOUSLY = "continuously_enforce", "Audit and enforce"
        NO_ENFORCEMENT = "no_enforcement", "Only from Self Service"

    item = models.OneToOneField(LibraryItem, on_delete=models.CASCADE, primary_key=True, related_name="custom_app")
    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="custom_apps")
    file_key = models.CharField(max_length=255)
    file_updated = models.DateTimeField()
    install_type = models.CharField(max_length=10, choices=InstallType.choices)
    install_enforcement = models.CharField(max_length=30, choices=Enforcement.choices)
    unzip_location = models.CharField(max_length=1000, blank=True)
    audit_script = models.TextField(blank=True)
    preinstall_script = models.TextField(blank=True)
    postinstall_script = models.TextField(blank=True)
    restart = models.BooleanField(default=False, help_text="Restart the device after the installation.")

    def __str__(self) -> str:
        return f"App of library item {self.item_id}"


class IpaApp(models.Model):
    """An app for iPhone, iPad or Apple TV, signed by the organization. Its file's metadata comes from Info.plist."""

    item = models.OneToOneField(LibraryItem, on_delete=models.CASCADE, primary_key=True, related_name="ipa_app")
    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="ipa_apps")
    file_key = models.CharField(max_length=255)
    file_updated = models.DateTimeField()
    runs_on_iphone = models.BooleanField(default=False)
    runs_on_ipad = models.BooleanField(default=False)
    runs_on_tv = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"In-house app of library item {self.item_id}"
