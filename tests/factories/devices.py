from datetime import UTC, datetime, timedelta
from typing import Any

import factory
from django.db.models import F
from factory.django import DjangoModelFactory

from devices.fleet import records
from devices.models import (
    Assignment,
    AssignmentNode,
    BehavioralDetection,
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
    Severity,
    Tag,
    Threat,
    User,
    Vulnerability,
    VulnerabilityDetection,
    VulnerableSoftware,
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


class LostModeFactory(DjangoModelFactory[LostMode]):
    """The device's own column and record do not follow, as they do behind the service."""

    class Meta:
        model = LostMode

    device = factory.SubFactory(DeviceFactory, platform=Platform.IPHONE)
    status = "enabled"
    enabled_by = "Integration"
    enable_status_at = ENROLLED


class VulnerabilityFactory(DjangoModelFactory[Vulnerability]):
    """Without detections: the services alone keep its counts."""

    class Meta:
        model = Vulnerability

    tenant = factory.SubFactory(TenantFactory)
    cve_id = factory.Sequence(lambda n: f"CVE-2026-{n:05}")
    severity = Severity.HIGH
    cvss_score = 7.5
    link = factory.LazyAttribute(lambda row: f"https://nvd.nist.gov/vuln/detail/{row.cve_id}")
    description = "A crafted file is executed."
    first_detected_at = ENROLLED
    last_detected_at = ENROLLED


class CveFactory(VulnerabilityFactory):
    """By the name that a path has for it."""


class VulnerableSoftwareFactory(DjangoModelFactory[VulnerableSoftware]):
    class Meta:
        model = VulnerableSoftware

    tenant = factory.SubFactory(TenantFactory)
    key = factory.Sequence(lambda n: f"{n:064}")
    name = "Firefox"
    version = "144.0"
    path = "/Applications/Firefox.app"
    bundle_id = "org.mozilla.firefox"


class VulnerabilityDetectionFactory(DjangoModelFactory[VulnerabilityDetection]):
    """The device is not counted by the vulnerability."""

    class Meta:
        model = VulnerabilityDetection

    device = factory.SubFactory(DeviceFactory)
    tenant = factory.SelfAttribute("device.tenant")
    vulnerability = factory.SubFactory(VulnerabilityFactory, tenant=factory.SelfAttribute("..tenant"))
    software = factory.SubFactory(VulnerableSoftwareFactory, tenant=factory.SelfAttribute("..tenant"))
    severity = factory.SelfAttribute("vulnerability.severity")
    first_detected_at = ENROLLED
    last_detected_at = ENROLLED


class ThreatFactory(DjangoModelFactory[Threat]):
    class Meta:
        model = Threat

    device = factory.SubFactory(DeviceFactory)
    tenant = factory.SelfAttribute("device.tenant")
    device_uuid = factory.SelfAttribute("device.uuid")
    key = factory.Sequence(lambda n: f"{n:064}")
    identifier = factory.Sequence(lambda n: f"threat-{n}")
    name = "macOS.Adload.Gen"
    classification = Threat.Classification.MALWARE
    status = Threat.Status.QUARANTINED
    detected_at = ENROLLED
    file_path = "/Users/ann/Downloads/Player.dmg"
    file_hash = "ab" * 32


class BehavioralDetectionFactory(DjangoModelFactory[BehavioralDetection]):
    class Meta:
        model = BehavioralDetection

    device = factory.SubFactory(DeviceFactory)
    tenant = factory.SelfAttribute("device.tenant")
    device_uuid = factory.SelfAttribute("device.uuid")
    threat_id = "KTI_BD_0163"
    classification = BehavioralDetection.Classification.MALICIOUS
    status = BehavioralDetection.Status.BLOCKED
    detected_at = ENROLLED
    target_name = "osascript"
