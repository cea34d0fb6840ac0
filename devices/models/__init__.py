from devices.models.activity import DeviceActivity
from devices.models.blueprint_routing import BlueprintRouting, RoutingActivity
from devices.models.blueprints import Blueprint
from devices.models.commands import DeviceCommand
from devices.models.devices import APPLE, MACS, MOBILE, Device, DeviceInventory, Fleet, Platform
from devices.models.library import Assignment, AssignmentNode, LibraryItem
from devices.models.lost_mode import LostMode
from devices.models.notes import DeviceNote
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
    "Assignment",
    "AssignmentNode",
    "BehavioralDetection",
    "Blueprint",
    "BlueprintRouting",
    "Device",
    "DeviceActivity",
    "DeviceCommand",
    "DeviceInventory",
    "DeviceNote",
    "DeviceSecret",
    "DirectoryIntegration",
    "Fleet",
    "LibraryItem",
    "LostMode",
    "ManagementState",
    "Platform",
    "RoutingActivity",
    "Severity",
    "Tag",
    "Threat",
    "ThreatSeverity",
    "User",
    "Vulnerability",
    "VulnerabilityDetection",
    "VulnerableSoftware",
]
