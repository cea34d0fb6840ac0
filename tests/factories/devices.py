import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import factory
from django.db.models import F
from django.utils import timezone
from factory.django import DjangoModelFactory

from access.sealing import seal
from devices.fleet import records
from devices.library.kinds import version_of
from devices.models import (
    AdeDevice,
    AdeIntegration,
    Assignment,
    AssignmentNode,
    BehavioralDetection,
    Blueprint,
    BulkAction,
    BulkResult,
    CustomApp,
    CustomProfile,
    CustomScript,
    Device,
    DeviceActivity,
    DeviceCommand,
    DeviceInventory,
    DeviceNote,
    DirectoryIntegration,
    Fleet,
    IpaApp,
    LibraryActivity,
    LibraryItem,
    LibraryStatus,
    LostMode,
    MdmAuthority,
    Platform,
    PrismExport,
    PushCertificate,
    Severity,
    StoredFile,
    Tag,
    Threat,
    User,
    Vulnerability,
    VulnerabilityDetection,
    VulnerableSoftware,
)
from tests.factories.access import TenantFactory

PROFILE = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>PayloadContent</key>
	<array>
		<dict>
			<key>PayloadIdentifier</key>
			<string>test.accuhive.dock</string>
			<key>PayloadType</key>
			<string>com.apple.dock</string>
			<key>PayloadUUID</key>
			<string>3F0B1C52-6E2A-4D0B-9B1C-0A1B2C3D4E5F</string>
			<key>PayloadVersion</key>
			<integer>1</integer>
			<key>tilesize</key>
			<integer>48</integer>
		</dict>
	</array>
	<key>PayloadDisplayName</key>
	<string>Dock</string>
	<key>PayloadIdentifier</key>
	<string>test.accuhive</string>
	<key>PayloadType</key>
	<string>Configuration</string>
	<key>PayloadUUID</key>
	<string>11111111-2222-4333-8444-555555555555</string>
	<key>PayloadVersion</key>
	<integer>1</integer>
</dict>
</plist>
"""
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


class ContentsFactory(LibraryItemFactory):
    """A library item with a row in the table of its kind. The arguments may include columns of that row."""

    class Meta:
        abstract = True

    contents: type[Any]
    defaults: ClassVar[dict[str, Any]]

    @classmethod
    def _create(cls, model_class: type[LibraryItem], *args: Any, **fields: Any) -> LibraryItem:
        own = {field.name for field in cls.contents._meta.fields}
        columns = {name: fields.pop(name) for name in own & fields.keys()}
        item: LibraryItem = super()._create(model_class, *args, **fields)
        cls.contents.objects.create(item=item, **{**cls.defaults, **columns})
        item.version = version_of(item)
        item.save(update_fields=["version"])
        return item


class CustomScriptFactory(ContentsFactory):
    type = "custom-script"
    contents = CustomScript
    defaults: ClassVar = {"script": "#!/bin/zsh\nexit 0", "execution_frequency": "once"}

    class Meta:
        exclude = ["contents", "defaults"]


class CustomProfileFactory(ContentsFactory):
    type = "profile"
    contents = CustomProfile
    defaults: ClassVar = {"profile": PROFILE}

    class Meta:
        exclude = ["contents", "defaults"]


class StoredFileFactory(DjangoModelFactory[StoredFile]):
    """An uploaded, checked and unused file. The storage has no content for its key."""

    class Meta:
        model = StoredFile

    tenant = factory.SubFactory(TenantFactory)
    key = factory.Sequence(lambda number: f"tenants/test/library/custom_apps/Tools_{number:08x}.pkg")
    purpose = StoredFile.Purpose.CUSTOM_APP
    name = "Tools.pkg"
    state = StoredFile.State.READY
    upload = 1
    size = 1000
    sha256 = "5e" * 32
    md5 = "d5" * 16
    uploaded_at = ENROLLED
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(hours=1))


IPA_METADATA = {
    "app_identifier": "test.accuhive.expenses",
    "app_name": "Expenses",
    "app_version": "3.2.1",
    "icon": "tenants/test/library/ipa_apps/Expenses_0a0b0c0d-Icon.png",
    "ipad_icon": "",
    "icon_path": "AppIcon60x60",
    "ipad_icon_path": "",
    "minimum_os_version": "17.0",
    "supported_device_families": ["iPhone", "iPad"],
}


class PendingUploadFactory(StoredFileFactory):
    """An uploaded and checked .ipa."""

    purpose = StoredFile.Purpose.IPA_APP
    name = "Expenses.ipa"
    metadata = IPA_METADATA


class AppFactory(ContentsFactory):
    """An item with a file. `file` replaces the default one."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: type[LibraryItem], *args: Any, **fields: Any) -> LibraryItem:
        make = PendingUploadFactory if cls.contents is IpaApp else StoredFileFactory
        file = fields.pop("file", None) or make.create(tenant=fields["tenant"], expires_at=None)
        return super()._create(model_class, *args, file=file, file_key=file.key, **{"file_updated": ENROLLED, **fields})


class CustomAppFactory(AppFactory):
    type = "custom-app"
    contents = CustomApp
    defaults: ClassVar = {"install_type": "package", "install_enforcement": "install_once"}

    class Meta:
        exclude = ["contents", "defaults"]


class IpaAppFactory(AppFactory):
    type = "ipa-app"
    contents = IpaApp
    defaults: ClassVar = {"runs_on_iphone": True, "runs_on_ipad": True}

    class Meta:
        exclude = ["contents", "defaults"]


class LibraryActivityFactory(DjangoModelFactory[LibraryActivity]):
    class Meta:
        model = LibraryActivity

    tenant = factory.SubFactory(TenantFactory)
    item_uuid = factory.Faker("uuid4", cast_to=None)
    activity_type = LibraryActivity.Type.CREATED


class AssignmentNodeFactory(DjangoModelFactory[AssignmentNode]):
    class Meta:
        model = AssignmentNode

    blueprint = factory.SubFactory(BlueprintFactory, type=Blueprint.Type.MAP)
    name = factory.Sequence(lambda n: f"Node {n}")
    # As with the product, the first branch of a map is its default.
    is_default = factory.LazyAttribute(lambda node: not node.blueprint.nodes.exists())
    position = factory.LazyAttribute(lambda node: node.blueprint.nodes.count())


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


class AdeTokenFactory(DjangoModelFactory[AdeIntegration]):
    """An integration whose server token cannot be decrypted. Tests that need a real token create it by the room."""

    class Meta:
        model = AdeIntegration

    tenant = factory.SubFactory(TenantFactory)
    blueprint = factory.SubFactory(BlueprintFactory, tenant=factory.SelfAttribute("..tenant"))
    email = "it@accuhive.test"
    phone = "555 0100"
    server_name = factory.Sequence(lambda n: f"Server {n}")
    server_uuid = factory.LazyFunction(uuid.uuid4)
    org_name = "Accuhive"
    access_token_expiry = factory.LazyFunction(lambda: timezone.now() + timedelta(days=365))
    key_number = 1
    ciphertext = b"not a token"


class AdeDeviceFactory(DjangoModelFactory[AdeDevice]):
    class Meta:
        model = AdeDevice

    tenant = factory.SubFactory(TenantFactory)
    integration = factory.SubFactory(AdeTokenFactory, tenant=factory.SelfAttribute("..tenant"))
    serial_number = factory.Sequence(lambda n: f"F02{n:09}")
    model = "MacBook Air"
    device_family = "Mac"
    os = "OSX"
    blueprint = factory.SelfAttribute("integration.blueprint")
    device_assigned_date = ENROLLED
    listed_at = ENROLLED


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
        records.refresh_locked(device.pk)
        device.refresh_from_db(fields=["record_json"])
        return device


class LibraryStatusFactory(DjangoModelFactory[LibraryStatus]):
    class Meta:
        model = LibraryStatus

    device = factory.SubFactory(DeviceFactory)
    item = factory.SubFactory(LibraryItemFactory, tenant=factory.SelfAttribute("..device.tenant"))
    status = "PASS"
    reported_at = ENROLLED


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
    """An export that waits for the worker."""

    class Meta:
        model = PrismExport

    tenant = factory.SubFactory(TenantFactory)
    category = "apps"
    args = factory.LazyFunction(
        lambda: {"filter": {}, "columns": [], "sort_by": "", "blueprint_ids": [], "device_families": []}
    )


class BulkActionFactory(DjangoModelFactory[BulkAction]):
    """A command to `count` devices, which are all still queued. No task is enqueued."""

    class Meta:
        model = BulkAction

    tenant = factory.SubFactory(TenantFactory)
    kind = BulkAction.Kind.COMMAND
    label = "Restart Device"
    selection = "Selected rows"
    parameters: ClassVar = {"command": "restart_device"}
    requested_by = "Ana Ruiz"

    @classmethod
    def _create(cls, model_class: type[BulkAction], *args: Any, **fields: Any) -> BulkAction:
        count = fields.pop("count", 1)
        action = BulkAction.objects.create(total=count, **fields)
        BulkResult.objects.bulk_create(
            BulkResult(action=action, target_uuid=uuid.uuid4(), name=f"Mac {number}") for number in range(count)
        )
        return action


class LostModeFactory(DjangoModelFactory[LostMode]):
    """The device's own column and record do not follow, as they do behind the service."""

    class Meta:
        model = LostMode

    device = factory.SubFactory(DeviceFactory, platform=Platform.IPHONE)
    status = "enabled"
    enabled_by = "Integration"
    enable_status_at = ENROLLED


class VulnerabilityFactory(DjangoModelFactory[Vulnerability]):
    """A vulnerability without detections. Only the services update its counts."""

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
    """VulnerabilityFactory, with the name of the path parameter `cve_id`."""


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
    """A detection. The counts of its vulnerability do not include the device."""

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


class PushCertificateFactory(DjangoModelFactory[PushCertificate]):
    """With texts in place of a certificate and a key: enrollment profiles need its topic alone."""

    class Meta:
        model = PushCertificate

    tenant = factory.SubFactory(TenantFactory)
    topic = factory.Sequence(lambda n: f"com.apple.mgmt.External.{uuid.UUID(int=n)}")
    certificate = "-----BEGIN CERTIFICATE-----"
    not_after = factory.LazyFunction(lambda: timezone.now() + timedelta(days=300))
    uploaded_at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class: type[PushCertificate], *args: Any, **fields: Any) -> PushCertificate:
        number, sealed = seal(b"key", "devices_pushcertificate", "ciphertext", fields["tenant"].pk)
        return PushCertificate.objects.create(**{"key_number": number, "ciphertext": sealed, **fields})


class MdmAuthorityFactory(DjangoModelFactory[MdmAuthority]):
    """The certificate authority of a tenant's devices, with bytes in place of a certificate and a key."""

    class Meta:
        model = MdmAuthority
        django_get_or_create = ("tenant", "purpose", "retired_at")  # a tenant has one that is not replaced

    tenant = factory.SubFactory(TenantFactory)
    purpose = MdmAuthority.Purpose.DEVICES
    retired_at = None
    certificate = factory.Sequence(lambda n: f"certificate {n}".encode())
    key_number = 1
    ciphertext = b"key"
    not_after = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7000))
