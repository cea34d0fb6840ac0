from datetime import UTC, datetime, timedelta
from typing import Any

import factory
from django.db.models import F
from factory.django import DjangoModelFactory

from devices.fleet import records
from devices.models import (
    Assignment,
    AssignmentNode,
    Blueprint,
    Device,
    DeviceActivity,
    DeviceCommand,
    DeviceInventory,
    DeviceNote,
    DirectoryIntegration,
    Fleet,
    LibraryItem,
    LostMode,
    Platform,
    PrismExport,
    Tag,
    User,
)
from tests.factories.access import TenantFactory

ENROLLED = datetime(2024, 5, 13, 20, 9, 27, 374451, UTC)


class BlueprintFactory(DjangoModelFactory[Blueprint]):
    class Meta:
        model = Blueprint

    tenant = factory.SubFactory(TenantFactory)
    name = factory.Sequence(lambda n: f"Blueprint {n}")
    enrollment_code = factory.Sequence(lambda n: f"{n:06}")
    enrollment_code_active = True


class LibraryItemFactory(DjangoModelFactory[LibraryItem]):
    class Meta:
        model = LibraryItem

    tenant = factory.SubFactory(TenantFactory)
    name = factory.Sequence(lambda n: f"Library item {n}")
    type = "custom-app"


class AssignmentNodeFactory(DjangoModelFactory[AssignmentNode]):
    class Meta:
        model = AssignmentNode

    blueprint = factory.SubFactory(BlueprintFactory, type=Blueprint.Type.MAP)
    name = factory.Sequence(lambda n: f"Node {n}")


class AssignmentFactory(DjangoModelFactory[Assignment]):
    """`node` is None unless it is given, as on a classic blueprint."""

    class Meta:
        model = Assignment

    blueprint = factory.SubFactory(BlueprintFactory)
    library_item = factory.SubFactory(LibraryItemFactory, tenant=factory.SelfAttribute("..blueprint.tenant"))


class DirectoryIntegrationFactory(DjangoModelFactory[DirectoryIntegration]):
    class Meta:
        model = DirectoryIntegration

    tenant = factory.SubFactory(TenantFactory)
    number = factory.Sequence(lambda n: n + 1)
    name = "Google Workspace"
    type = "google"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    tenant = factory.SubFactory(TenantFactory)
    name = factory.Faker("name")
    email = factory.Sequence(lambda n: f"user-{n}@accuhive.test")
    integration = factory.SubFactory(DirectoryIntegrationFactory, tenant=factory.SelfAttribute("..tenant"))
    created_at = ENROLLED


class TagFactory(DjangoModelFactory[Tag]):
    class Meta:
        model = Tag

    tenant = factory.SubFactory(TenantFactory)
    name = factory.Sequence(lambda n: f"tag-{n}")


class DeviceFactory(DjangoModelFactory[Device]):
    """With its record prepared and counted in its fleet, as the services leave it.

    `tags` are Tag objects; `details` is the inventory, which no device has unless it is given.
    """

    class Meta:
        model = Device

    tenant = factory.SubFactory(TenantFactory)
    name = factory.Sequence(lambda n: f"Mac {n}")
    serial_number = factory.Sequence(lambda n: f"C02{n:09}")
    model = "MacBook Pro (14-inch, M3, 2023)"
    platform = Platform.MAC
    os_version = "15.1"
    blueprint = factory.SubFactory(BlueprintFactory, tenant=factory.SelfAttribute("..tenant"))
    first_enrollment = ENROLLED
    last_enrollment = ENROLLED
    last_check_in = ENROLLED + timedelta(days=1)
    agent_installed = True

    @classmethod
    def _create(cls, model_class: type[Device], *args: Any, **fields: Any) -> Device:
        tags, details = fields.pop("tags", ()), fields.pop("details", None)
        device = Device.objects.create(**fields)
        device.tags.set(tags)
        if details is not None:
            DeviceInventory.objects.create(device=device, details=details)
        Fleet.objects.get_or_create(tenant=device.tenant)
        Fleet.objects.filter(tenant=device.tenant).update(device_count=F("device_count") + 1)
        records.refresh([device.pk])
        device.refresh_from_db(fields=["record_json"])
        return device


class NoteFactory(DjangoModelFactory[DeviceNote]):
    class Meta:
        model = DeviceNote

    tenant = factory.SubFactory(TenantFactory)
    device = factory.SubFactory(DeviceFactory, tenant=factory.SelfAttribute("..tenant"))
    content = "Screen replaced."
    author = "Ann Fisher"
    created_at = ENROLLED
    updated_at = ENROLLED


class DeviceCommandFactory(DjangoModelFactory[DeviceCommand]):
    """Waiting in the queue, as if sent by an integration; the services alone make one with a secret."""

    class Meta:
        model = DeviceCommand

    device = factory.SubFactory(DeviceFactory)
    tenant = factory.SelfAttribute("device.tenant")
    command = "restart_device"
    command_type = "RestartDevice"
    request_type = "RestartDevice"
    requested_by = "Integration"
    date_requested = ENROLLED
    last_pushed = ENROLLED


class DeviceActivityFactory(DjangoModelFactory[DeviceActivity]):
    class Meta:
        model = DeviceActivity

    device = factory.SubFactory(DeviceFactory)
    tenant = factory.SelfAttribute("device.tenant")
    created_at = ENROLLED
    action_type = "enrollment"
    blueprint = factory.SelfAttribute("device.blueprint")
    details = factory.LazyAttribute(
        lambda row: {"blueprint_name": row.device.blueprint.name, "enrollment_type": "Automated Device Enrollment"}
    )


class ExportFactory(DjangoModelFactory[PrismExport]):
    """Waiting for the worker."""

    class Meta:
        model = PrismExport

    tenant = factory.SubFactory(TenantFactory)
    category = "apps"
    args = factory.LazyFunction(
        lambda: {"filter": {}, "columns": [], "sort_by": "", "blueprint_ids": [], "device_families": []}
    )


class LostModeFactory(DjangoModelFactory[LostMode]):
    """The device's own column and record do not follow, as they do behind the service."""

    class Meta:
        model = LostMode

    device = factory.SubFactory(DeviceFactory, platform=Platform.IPHONE)
    status = "enabled"
    enabled_by = "Integration"
    enable_status_at = ENROLLED
