from devices.models.activity import DeviceActivity
from devices.models.apps import CustomApp, IpaApp
from devices.models.blueprint_routing import BlueprintRouting, RoutingActivity
from devices.models.blueprints import Blueprint
from devices.models.bulk import BulkAction, BulkResult
from devices.models.commands import DeviceCommand, Order
from devices.models.declarations import DeviceDeclarations, RequiredVersion
from devices.models.desired import DeviceItem
from devices.models.devices import (
    APPLE,
    MACS,
    MOBILE,
    Device,
    DeviceInventory,
    DeviceSeen,
    Fleet,
    FleetSummary,
    Platform,
)
from devices.models.enrollment import AdeDevice, AdeIntegration, AdeKeyPair
from devices.models.files import StoredFile
from devices.models.idempotency import IdempotentCall
from devices.models.library import (
    Assignment,
    AssignmentNode,
    LibraryActivity,
    LibraryItem,
    LibraryStatus,
    SelfServiceCategory,
)
from devices.models.library_contents import CustomProfile, CustomScript
from devices.models.lost_mode import LostMode
from devices.models.mdm import (
    DeviceCertificate,
    Enrollment,
    MdmAuthority,
    PushCertificate,
    UsedTicket,
    UserChannel,
)
from devices.models.notes import DeviceNote
from devices.models.prism.tables import PrismExport, PrismReport, PrismTotal
from devices.models.secrets import DeviceSecret
from devices.models.tags import Tag
from devices.models.threats import BehavioralDetection, ManagementState, Threat, ThreatSeverity
from devices.models.users import DirectoryIntegration, User
from devices.models.vulnerabilities import (
    Severity,
    Vulnerability,
    VulnerabilityDetection,
    VulnerableSoftware,
)

__all__ = [
    "APPLE",
    "MACS",
    "MOBILE",
    "AdeDevice",
    "AdeIntegration",
    "AdeKeyPair",
    "Assignment",
    "AssignmentNode",
    "BehavioralDetection",
    "Blueprint",
    "BlueprintRouting",
    "BulkAction",
    "BulkResult",
    "CustomApp",
    "CustomProfile",
    "CustomScript",
    "Device",
    "DeviceActivity",
    "DeviceCertificate",
    "DeviceCommand",
    "DeviceDeclarations",
    "DeviceInventory",
    "DeviceItem",
    "DeviceNote",
    "DeviceSecret",
    "DeviceSeen",
    "DirectoryIntegration",
    "Enrollment",
    "Fleet",
    "FleetSummary",
    "IdempotentCall",
    "IpaApp",
    "LibraryActivity",
    "LibraryItem",
    "LibraryStatus",
    "LostMode",
    "ManagementState",
    "MdmAuthority",
    "Order",
    "Platform",
    "PrismExport",
    "PrismReport",
    "PrismTotal",
    "PushCertificate",
    "RequiredVersion",
    "RoutingActivity",
    "SelfServiceCategory",
    "Severity",
    "StoredFile",
    "Tag",
    "Threat",
    "ThreatSeverity",
    "UsedTicket",
    "User",
    "UserChannel",
    "Vulnerability",
    "VulnerabilityDetection",
    "VulnerableSoftware",
]
