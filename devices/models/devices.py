import uuid
from typing import Any

import orjson
from django.db import models
from django.db.models import F
from django.db.models.expressions import OrderBy
from django.db.models.functions import Upper

from access.models import Tenant
from devices.models.blueprints import Blueprint
from devices.models.tags import Tag
from devices.models.users import User
from devices.text import search_form


class Platform(models.TextChoices):
    """Device families. The values are those of the API."""

    MAC = "Mac"
    IPAD = "iPad", "iPad"
    IPHONE = "iPhone", "iPhone"
    APPLE_TV = "AppleTV", "Apple TV"
    ANDROID = "Android"
    WINDOWS = "Windows"


# Families that share a protocol or a set of commands.
MACS = frozenset({Platform.MAC})
MOBILE = frozenset({Platform.IPHONE, Platform.IPAD})
APPLE = MACS | MOBILE | {Platform.APPLE_TV}


class Fleet(models.Model):
    """Facts about all devices of a tenant together: count, form of the records, licence."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="fleet")
    # Updated whenever devices are added or deleted, so that X-Total-Count of an unfiltered list needs no COUNT(*).
    device_count = models.PositiveIntegerField(default=0)
    # True once the tenant has a Windows or Android device: every device record then has three more keys.
    extended_records = models.BooleanField(default=False)
    # The values that GET /settings/licensing returns, apart from the counts. An operator sets them.
    plan_type = models.CharField(max_length=60, default="Self-hosted")
    max_devices = models.PositiveIntegerField(default=1_000_000)
    max_macs = models.PositiveIntegerField(default=1_000_000)
    max_mobile_devices = models.PositiveIntegerField(default=1_000_000, help_text="iPhones and iPads together.")

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.device_count} devices"


class FleetSummary(models.Model):
    """Counts of a large fleet, which `devices.fleet.summary` stores every few minutes."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="fleet_summary")
    counts = models.JSONField(default=dict)
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "fleet summaries"

    def __str__(self) -> str:
        return f"{self.tenant_id} at {self.counted_at}"


class NullsFirstIndex(models.Index):
    """An index whose expressions have `nulls_first`. SQLite's indexes have it always, and no word for it."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        if schema_editor.connection.vendor != "sqlite":
            return super().create_sql(model, schema_editor, using, **kwargs)
        plain = [each.expression if isinstance(each, OrderBy) else each for each in self.expressions]
        return models.Index(*plain, name=self.name).create_sql(model, schema_editor, using, **kwargs)


class DeviceQuerySet(models.QuerySet["Device"]):
    def reported(self) -> "DeviceQuerySet":
        """The devices with their reported lists of apps and parameters, in one query."""
        return self.select_related("blueprint", "inventory").defer("record_json", "inventory__details")

    def with_words(self, text: str) -> "DeviceQuerySet":
        """Devices of which each word of `text` is a part of the name, the serial number, the model, the asset tag, or
        the name or e-mail address of the user. Case and accents make no difference."""
        devices = self
        for word in search_form(text).split():
            devices = devices.filter(search_text__contains=word)
        return devices

    def complete(self) -> "DeviceQuerySet":
        """Devices with everything that their details and pages show, in a constant number of queries."""
        lists = ("inventory__apps", "inventory__parameters")
        related = self.select_related("blueprint", "user", "inventory", "lost_mode", "seen").prefetch_related("tags")
        return related.defer("record_json", *lists)


class Device(models.Model):
    """An enrolled device. It has the columns that the API lists and filters by; all others are in `DeviceInventory`."""

    # No index of their own for the tenant and the Blueprint: `device_list` and `device_blueprint` begin with them.
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="devices", db_index=False)
    # The API's device_id. It is unique within a tenant only: a fleet may be copied from one tenant into another.
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    serial_number = models.CharField(max_length=100)
    # Apple's identifier of the hardware, which a device that enrolls is known by. It is in no answer of the API.
    udid = models.CharField("UDID", max_length=100, blank=True, default="", db_default="", editable=False)
    model = models.CharField(max_length=255, blank=True)
    platform = models.CharField(max_length=10, choices=Platform.choices)
    os_version = models.CharField(max_length=50, blank=True)
    supplemental_build_version = models.CharField(max_length=50, blank=True)
    supplemental_os_version_extra = models.CharField(max_length=50, blank=True)
    asset_tag = models.CharField(max_length=255, blank=True)
    blueprint = models.ForeignKey(Blueprint, on_delete=models.PROTECT, related_name="devices", db_index=False)
    # No index of its own: `device_user` begins with it, and a planner may take either.
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="devices", db_index=False
    )
    # Migration 0035 gave its table the index `device_tag_order`, which Django has no declaration for.
    tags = models.ManyToManyField(Tag, blank=True, related_name="devices")
    mac_address = models.CharField(max_length=17, blank=True)
    filevault_enabled = models.BooleanField(null=True, blank=True)
    mdm_enabled = models.BooleanField(default=True)
    agent_installed = models.BooleanField(default=False)
    agent_version = models.CharField(max_length=50, blank=True)
    is_missing = models.BooleanField(default=False)
    is_removed = models.BooleanField(default=False)
    simulated = models.BooleanField(
        default=False, db_default=False, editable=False
    )  # a program that answers like a device
    lost_mode_status = models.CharField(max_length=50, blank=True)
    api_level = models.CharField(max_length=20, blank=True)
    security_patch_level = models.CharField(max_length=20, blank=True)
    full_software_version = models.CharField(max_length=50, blank=True)
    first_enrollment = models.DateTimeField()
    last_enrollment = models.DateTimeField()
    last_check_in = models.DateTimeField(null=True, blank=True)
    # The JSON text that GET /devices/{id} returns. devices.fleet.records renders it whenever something in it changes.
    record_json = models.TextField(editable=False)
    # For the list of devices: the text that a search looks in, and the names of other tables that it is sorted by.
    # They are written together with the record, by devices.fleet.records.
    search_text = models.CharField(max_length=600, editable=False, default="")
    blueprint_label = models.CharField(max_length=255, editable=False, default="")
    user_label = models.CharField(max_length=255, editable=False, default="")

    objects = DeviceQuerySet.as_manager()

    class Meta:
        # (tenant, id) is the order of an unfiltered list. The index is small, so a deep offset reads few disk pages.
        indexes = [
            models.Index(fields=["tenant", "id"], name="device_list"),
            models.Index(fields=["tenant", "platform", "id"], name="device_platform"),
            # With the platform for the counts of the start page, which read the index alone.
            models.Index(fields=["tenant", "os_version", "id", "platform"], name="device_os_version"),
            models.Index(fields=["tenant", "platform", "filevault_enabled", "id"], name="device_filevault"),
            models.Index(fields=["tenant", "asset_tag", "id"], name="device_asset_tag"),
            models.Index(fields=["tenant", "serial_number", "id"], name="device_serial"),
            models.Index("tenant", Upper("mac_address"), name="device_mac_upper"),
            NullsFirstIndex("tenant", F("last_check_in").asc(nulls_first=True), "id", name="device_last_check_in"),
            models.Index(fields=["tenant", "name", "id"], name="device_name"),
            # For a search, which reads the texts of all devices of the tenant, and finds their keys here.
            models.Index(fields=["tenant", "search_text", "id"], name="device_search"),
            models.Index(fields=["tenant", "model", "id"], name="device_model"),
            models.Index(fields=["tenant", "blueprint_label", "id"], name="device_blueprint_label"),
            models.Index(fields=["tenant", "user_label", "id"], name="device_user_label"),
            models.Index(fields=["blueprint", "id"], name="device_blueprint"),
            models.Index(fields=["tenant", "udid"], condition=~models.Q(udid=""), name="device_udid"),
            # For the number of devices in the scope of a library item, without reading the devices.
            models.Index(fields=["tenant", "blueprint", "is_removed", "platform", "id"], name="device_scope"),
            models.Index(fields=["user", "id"], name="device_user"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uuid"], name="device_uuid"),
            models.UniqueConstraint(
                "tenant",
                Upper("serial_number"),
                name="device_serial_number",
                condition=~models.Q(serial_number=""),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def recorded_tags(self) -> list[str]:
        """The names of its tags in its record. A list reads them there: objects of each tag cost it more than all else.

        After a change of a tag of thousands of devices they lag behind for a moment, like the API.
        """
        tags: list[str] = orjson.loads(self.record_json)["tags"]
        return tags


class DeviceInventory(models.Model):
    """The inventory that a device reported. `details` has the sections of GET /devices/{id}/details."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="inventory")
    details = models.JSONField(default=dict)
    # Rows of GET /devices/{id}/apps and /parameters.
    apps = models.JSONField(default=list)
    parameters = models.JSONField(default=list)
    answers = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="Digests of what the device said, by question and category of Prism: see devices.inventory.known.",
    )

    def __str__(self) -> str:
        return f"Inventory of {self.device_id}"


class DeviceSeen(models.Model):
    """When a device was last in contact. It is the only row that a contact writes, so it is narrow.

    `devices.fleet.contact` writes it, and copies `at` into `Device.last_check_in` once a minute. `at` has no index:
    PostgreSQL would have to write it with each contact.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="seen")
    at = models.DateTimeField()
    copied = models.DateTimeField(null=True, help_text="The value of `at` that the row of the device has.")

    class Meta:
        verbose_name_plural = "devices seen"

    def __str__(self) -> str:
        return f"{self.device_id} at {self.at}"
