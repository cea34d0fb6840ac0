"""The tables of the peers: what a record of a device shows, and no more."""

from django.db import models


class Blueprint(models.Model):
    uuid = models.UUIDField(unique=True)
    name = models.CharField(max_length=255)


class User(models.Model):
    uuid = models.UUIDField(unique=True)
    name = models.CharField(max_length=255)
    email = models.CharField(max_length=254)
    is_archived = models.BooleanField()


class Tag(models.Model):
    name = models.CharField(max_length=255, unique=True)

    class Meta:
        ordering = ["name"]


class Device(models.Model):
    device_id = models.UUIDField(unique=True)
    device_name = models.CharField(max_length=255)
    model = models.CharField(max_length=255)
    serial_number = models.CharField(max_length=100)
    platform = models.CharField(max_length=10)
    os_version = models.CharField(max_length=50)
    supplemental_build_version = models.CharField(max_length=50)
    supplemental_os_version_extra = models.CharField(max_length=50)
    last_check_in = models.DateTimeField(null=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True)
    asset_tag = models.CharField(max_length=255)
    blueprint = models.ForeignKey(Blueprint, on_delete=models.PROTECT)
    mdm_enabled = models.BooleanField()
    agent_installed = models.BooleanField()
    is_missing = models.BooleanField()
    is_removed = models.BooleanField()
    agent_version = models.CharField(max_length=50)
    first_enrollment = models.DateTimeField()
    last_enrollment = models.DateTimeField()
    lost_mode_status = models.CharField(max_length=50)
    tags = models.ManyToManyField(Tag)
    api_level = models.CharField(max_length=20)
    security_patch_level = models.CharField(max_length=20)
    full_software_version = models.CharField(max_length=50)

    class Meta:
        ordering = ["id"]


class ApiKey(models.Model):
    """The keys of django-ninja, which has a class to check one and leaves the table to the project."""

    digest = models.CharField(max_length=64, unique=True)
    active = models.BooleanField(default=True)


RELATED = ("user", "blueprint")
ZULU = "%Y-%m-%dT%H:%M:%S.%fZ"
SPACED = "%Y-%m-%d %H:%M:%S.%f+00:00"
