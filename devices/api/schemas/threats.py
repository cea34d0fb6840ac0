from typing import Any
from uuid import UUID

from pydantic import BaseModel

from devices.dates import with_offset, zoneless
from devices.models import BehavioralDetection, Threat, ThreatSeverity


class FirstThreatOut(BaseModel):
    """A file that was recognized as malware or as a potentially unwanted program."""

    threat_name: str
    classification: str
    status: str
    process_name: str
    process_owner: str
    device_name: str
    device_id: UUID
    detection_date: str
    date_of_quarantine: str
    date_of_release: str
    released_by: str
    release_note: str
    file_path: str
    file_hash: str
    bundle_path: str
    device_serial_number: str | None
    blueprint_id: UUID | None
    blueprint_name: str | None
    library_item_name: str | None
    library_item_id: UUID | None
    pup_posture: str | None
    malware_posture: str | None

    @classmethod
    def of(cls, row: Threat) -> "FirstThreatOut":
        """`row` comes from `devices.security.threats`."""
        return cls.model_construct(**cls.values(row))

    @staticmethod
    def values(row: Threat) -> dict[str, Any]:
        device = row.device
        return {
            "threat_name": row.name,
            "classification": row.classification,
            "status": row.status,
            "process_name": row.process_name,
            "process_owner": row.process_owner,
            "device_name": device.name if device else "",
            "device_id": row.device_uuid,
            "detection_date": zoneless(row.detected_at),
            "date_of_quarantine": zoneless(row.quarantined_at) if row.quarantined_at else "",
            "date_of_release": zoneless(row.released_at) if row.released_at else "",
            "released_by": row.released_by,
            "release_note": row.release_note,
            "file_path": row.file_path,
            "file_hash": row.file_hash,
            "bundle_path": row.bundle_path,
            "device_serial_number": device.serial_number if device else None,
            "blueprint_id": device.blueprint.uuid if device else None,
            "blueprint_name": device.blueprint.name if device else None,
            "library_item_name": row.library_item_name or None,
            "library_item_id": row.library_item_uuid,
            "pup_posture": row.pup_posture or None,
            "malware_posture": row.malware_posture or None,
        }


class ThreatOut(FirstThreatOut):
    """The same, with its id, its severity and its state in the organization."""

    id: str
    severity: str
    tags: list[str]
    management_state: str

    @classmethod
    def of(cls, row: Threat) -> "ThreatOut":
        return cls.model_construct(**cls.values(row), id=row.identifier, **_managed(row))


class NamedDevice(BaseModel):
    id: UUID
    name: str
    serial_number: str


class Process(BaseModel):
    name: str
    command_line: str
    image_path: str
    pid: int
    owner: str
    sha256: str


class Policy(BaseModel):
    id: UUID | None
    name: str
    mal_posture_mode: str


class BlueprintOfDevice(BaseModel):
    id: UUID | None
    name: str


class FirstBehaviorOut(BaseModel):
    """Behavior of a process that a rule recognized."""

    id: UUID
    threat_id: str
    rule_version: int
    description: str
    classification: str
    informational_tags: list[str]
    malware_family: list[str]
    detection_date: str
    threat_status: str
    device_info: NamedDevice
    parent_process: Process
    target_process: Process
    library_item: Policy
    blueprint: BlueprintOfDevice

    @classmethod
    def of(cls, row: BehavioralDetection) -> "FirstBehaviorOut":
        """`row` comes from `devices.security.threats`."""
        return cls.model_construct(**cls.values(row))

    @staticmethod
    def values(row: BehavioralDetection) -> dict[str, Any]:
        device = row.device
        name, serial_number = (device.name, device.serial_number) if device else ("", "")
        return {
            "id": row.uuid,
            "threat_id": row.threat_id,
            "rule_version": row.rule_version,
            "description": row.description,
            "classification": row.classification,
            "informational_tags": row.informational_tags,
            "malware_family": row.malware_family,
            "detection_date": with_offset(row.detected_at),
            "threat_status": row.status,
            "device_info": NamedDevice.model_construct(id=row.device_uuid, name=name, serial_number=serial_number),
            "parent_process": _process(row, "parent"),
            "target_process": _process(row, "target"),
            "library_item": Policy.model_construct(
                id=row.library_item_uuid, name=row.library_item_name, mal_posture_mode=row.malware_posture
            ),
            "blueprint": BlueprintOfDevice.model_construct(
                id=device.blueprint.uuid if device else None, name=device.blueprint.name if device else ""
            ),
        }


class BehaviorOut(FirstBehaviorOut):
    """The same, with its severity, its state in the organization, and the device once more."""

    status: str
    severity: str
    tags: list[str]
    management_state: str
    device_id: UUID
    device_name: str
    serial_number: str

    @classmethod
    def of(cls, row: BehavioralDetection) -> "BehaviorOut":
        values = cls.values(row)
        info = values["device_info"]
        return cls.model_construct(
            **values,
            status=row.status,
            **_managed(row),
            device_id=info.id,
            device_name=info.name,
            serial_number=info.serial_number,
        )


class ThreatPage[R](BaseModel):
    """One page, with the number of all matching rows for each classification."""

    count: int
    next: str | None
    previous: str | None
    malware_count: int
    pup_count: int
    results: list[R]


class BehaviorPage[R](BaseModel):
    """One page, with the number of all matching rows for each classification."""

    total_count: int
    next: str | None
    previous: str | None
    malicious_count: int
    suspicious_count: int
    results: list[R]


def _process(row: BehavioralDetection, which: str) -> Process:
    return Process.model_construct(**{name: getattr(row, f"{which}_{name}") for name in Process.model_fields})


def _managed(row: Threat | BehavioralDetection) -> dict[str, Any]:
    return {
        "severity": ThreatSeverity(row.severity).name.lower(),
        "tags": row.tags,
        "management_state": row.management_state,
    }
