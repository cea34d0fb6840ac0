from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from devices.dates import with_offset, zoneless
from devices.inputs import Listed, Offset, Query, page_size
from devices.models import BehavioralDetection, Threat, ThreatSeverity
from devices.security.threats import BEHAVIOR_ORDER, THREAT_ORDER

LONGEST_PAGE = 1000
MOST_DAYS = 36_500

FIRST_THREAT_ORDERS = {
    "threat_name",
    "classification",
    "device_name",
    "process_name",
    "process_owner",
    "detection_date",
    "status",
}
FIRST_BEHAVIOR_ORDERS = {
    "threat_id",
    "classification",
    "device_name",
    "parent_process_name",
    "target_process_name",
    "detection_date",
    "status",
}
THREAT_ORDERS = THREAT_ORDER.keys() - {"threat_name", "classification"}
BEHAVIOR_ORDERS = BEHAVIOR_ORDER.keys() - {
    "device_name",
    "parent_process_name",
    "target_process_name",
    "status",
}
# The short words that the second version accepts for the stored classifications.
CLASSIFICATIONS = {"mal": "malicious", "sus": "suspicious", "pup": "pup"}


def _sorted_by(names: Any) -> AfterValidator:
    def check(value: str) -> str:
        if value.removeprefix("-") not in names:
            raise ValueError(f'"{value}" is not one of {", ".join(sorted(names))}.')
        return value

    return AfterValidator(check)


def _moment(value: Any) -> datetime:
    """A time in UTC, with any number of digits for the fraction of a second."""
    try:
        moment = datetime.fromisoformat(str(value).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Enter a valid date/time.") from None


def _upper(words: list[str]) -> list[str]:
    return [word.upper() for word in words]


def _lower(words: list[str]) -> list[str]:
    return [word.lower() for word in words]


def _classifications(words: list[str]) -> list[str]:
    return [CLASSIFICATIONS.get(word, word) for word in _lower(words)]


type Moment = Annotated[datetime, BeforeValidator(_moment)]
type UpperWords = Annotated[Listed[str], AfterValidator(_upper)]
type LowerWords = Annotated[Listed[str], AfterValidator(_lower)]
type Days = Annotated[int, Field(ge=0, le=MOST_DAYS)]


class _Page(Query):
    limit: Annotated[int, page_size(LONGEST_PAGE), Field(ge=1, le=LONGEST_PAGE)] = LONGEST_PAGE
    offset: Offset = 0
    device_id: UUID | None = None


class FirstThreatQuery(_Page):
    classification: UpperWords | None = None
    status: UpperWords | None = None
    date_range: Days | None = None
    term: str | None = None
    sort_by: Annotated[str, _sorted_by(FIRST_THREAT_ORDERS)] = "-detection_date"

    def filters(self) -> dict[str, Any]:
        return {
            "device_id": self.device_id,
            "classifications": self.classification,
            "statuses": self.status,
            "days": self.date_range,
            "term": self.term,
        }


class FirstBehaviorQuery(_Page):
    threat_id: str | None = None
    classification: LowerWords | None = None
    status: LowerWords | None = None
    date_range: Days | None = None
    detection_date_from: Moment | None = None
    detection_date_to: Moment | None = None
    malware_family: str | None = None
    parent_process_name: str | None = None
    target_process_name: str | None = None
    informational_tags: Listed[str] | None = None
    term: str | None = None
    sort_by: Annotated[str, _sorted_by(FIRST_BEHAVIOR_ORDERS)] = "-detection_date"

    def filters(self) -> dict[str, Any]:
        own = ("threat_id", "malware_family", "parent_process_name", "target_process_name", "informational_tags")
        return {
            **{name: getattr(self, name) for name in own},
            "device_id": self.device_id,
            "classifications": self.classification,
            "statuses": self.status,
            "days": self.date_range,
            "detected_from": self.detection_date_from,
            "detected_to": self.detection_date_to,
            "term": self.term,
        }


class _Managed(_Page):
    management_state: LowerWords | None = None
    severities: LowerWords | None = None
    tags: Listed[str] | None = None

    def filters(self) -> dict[str, Any]:
        return {
            "device_id": self.device_id,
            "management_states": self.management_state,
            "severities": self.severities,
            "tags": self.tags,
        }


class ThreatQuery(_Managed):
    statuses: UpperWords | None = None
    classification: UpperWords | None = None
    term: str | None = None
    detection_date_from: Moment | None = None
    detection_date_to: Moment | None = None
    date_range: Days | None = None
    sort_by: Annotated[str, _sorted_by(THREAT_ORDERS)] = "-detection_date"

    def filters(self) -> dict[str, Any]:
        return {
            **super().filters(),
            "classifications": self.classification,
            "statuses": self.statuses,
            "days": self.date_range,
            "detected_from": self.detection_date_from,
            "detected_to": self.detection_date_to,
            "term": self.term,
        }


class BehaviorQuery(_Managed):
    classifications: Annotated[Listed[str], AfterValidator(_classifications)] | None = None
    statuses: LowerWords | None = None
    search_term: str | None = None
    detection_from: Moment | None = None
    detection_to: Moment | None = None
    sort_by: Annotated[str, _sorted_by(BEHAVIOR_ORDERS)] = "-detection_date"

    def filters(self) -> dict[str, Any]:
        return {
            **super().filters(),
            "classifications": self.classifications,
            "statuses": self.statuses,
            "detected_from": self.detection_from,
            "detected_to": self.detection_to,
            "term": self.search_term,
        }


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
