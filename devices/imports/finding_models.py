"""Models of the API's rows about threats and vulnerabilities. Each field has the name of the column that stores it.

A row sets only the columns that it has, so that one kind of row does not empty the columns that another kind set.
"""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, AliasPath, BaseModel, BeforeValidator, Field, create_model
from pydantic_core import PydanticCustomError

from devices.imports.errors import RowError, UnreadableRow, validated
from devices.imports.models import Count, Section
from devices.imports.values import NULL_AS_EMPTY, Blankable, Boolean, Moment, column
from devices.models import (
    BehavioralDetection,
    ManagementState,
    Severity,
    Threat,
    ThreatSeverity,
    Vulnerability,
    VulnerableSoftware,
)
from devices.security.facts import (
    BehaviorFound,
    DetectionFound,
    Finding,
    Package,
    ThreatFound,
    VulnerabilityFound,
)

_CVE = Annotated[str, column(Vulnerability, "cve_id", required=True)]


def _severity(value: Any) -> int:
    words = {member.label.lower(): member.value for member in Severity}
    if (number := words.get(str(value).strip().lower())) is None:
        raise PydanticCustomError("unknown_severity", "unknown severity")
    return number


def _threat_severity(value: Any) -> int:
    words = {member.name: member.value for member in ThreatSeverity}
    if (number := words.get(str(value).strip().upper())) is None:
        raise PydanticCustomError("unknown_severity", "unknown severity")
    return number


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _finite(value: float) -> float:
    if not -1e6 < value < 1e6:
        raise PydanticCustomError("not_a_number", "not a number")
    return value


def _words(value: list[str]) -> list[str]:
    return [" ".join(word.split()) for word in value if word.strip()]


type Number = Annotated[float, AfterValidator(_finite)]
type Words = Annotated[list[Annotated[str, column(VulnerableSoftware, "name")]], AfterValidator(_words)]
type Id = Annotated[str, column(Threat, "identifier", required=True)]


def _either(*names: str) -> Any:
    """A field that has different names in the live service and in the documentation."""
    return Field(default=None, validation_alias=AliasChoices(*names))


class _Described(Section):
    """The fields of a vulnerability that every row about one has."""

    cve_id: _CVE
    severity: Annotated[int | None, BeforeValidator(_severity)] = _either("severity", "cvss_severity")
    cvss_score: Number | None = None
    link: Annotated[str | None, column(Vulnerability, "link")] = _either("cve_link")
    description: Annotated[str | None, column(Vulnerability, "description")] = _either("description", "cve_description")
    published_at: Moment | None = _either("cve_published_at")
    modified_at: Moment | None = _either("cve_modified_at")
    first_detected_at: Moment | None = _either("first_detection_date", "detection_datetime")
    last_detected_at: Moment | None = _either("latest_detection_date", "detection_datetime")


class VulnerabilityIn(_Described):
    known_exploited: Boolean | None = _either("kev_score")
    epss_score: Number | None = None
    software: Words | None = None


class DetectionIn(_Described):
    device_id: UUID
    name: Annotated[str, column(VulnerableSoftware, "name", required=True)]
    version: Annotated[str, column(VulnerableSoftware, "version")] = ""
    path: Annotated[str, column(VulnerableSoftware, "path")] = ""
    bundle_id: Annotated[str, column(VulnerableSoftware, "bundle_id")] = ""
    first_detected_at: Moment = Field(validation_alias=AliasChoices("first_detection_date", "detection_datetime"))
    last_detected_at: Moment | None = _either("latest_detection_date", "detection_datetime")


class _Reported(Section):
    detected_at: Moment = Field(validation_alias="detection_date")
    severity: Annotated[int | None, BeforeValidator(_threat_severity)] = None
    management_state: Annotated[ManagementState | None, BeforeValidator(_lower)] = None
    tags: Words | None = None


class ThreatIn(_Reported):
    """A row of `/threat-details`, in either version."""

    device_uuid: UUID = Field(validation_alias="device_id")
    identifier: Id | None = _either("id")
    name: Annotated[str, column(Threat, "name", required=True)] = Field(validation_alias="threat_name")
    classification: Annotated[Threat.Classification, BeforeValidator(_upper)]
    status: Annotated[Threat.Status, BeforeValidator(_upper)]
    process_name: Annotated[str, column(Threat, "process_name")] = ""
    process_owner: Annotated[str, column(Threat, "process_owner")] = ""
    file_path: Annotated[str, column(Threat, "file_path")] = ""
    file_hash: Annotated[str, column(Threat, "file_hash")] = ""
    bundle_path: Annotated[str, column(Threat, "bundle_path")] = ""
    quarantined_at: Blankable[Moment] = _either("date_of_quarantine")
    released_at: Blankable[Moment] = _either("date_of_release")
    released_by: Annotated[str, column(Threat, "released_by")] = ""
    release_note: Annotated[str, column(Threat, "release_note")] = ""
    library_item_uuid: UUID | None = _either("library_item_id")
    library_item_name: Annotated[str, column(Threat, "library_item_name")] = ""
    malware_posture: Annotated[str, column(Threat, "malware_posture")] = ""
    pup_posture: Annotated[str, column(Threat, "pup_posture")] = ""


class _Behavior(_Reported):
    uuid: UUID = Field(validation_alias="id")
    device_uuid: UUID = Field(validation_alias=AliasChoices(AliasPath("device_info", "id"), "device_id"))
    threat_id: Annotated[str, column(BehavioralDetection, "threat_id", required=True)]
    rule_version: Count = 1
    description: Annotated[str, column(BehavioralDetection, "description")] = ""
    classification: Annotated[BehavioralDetection.Classification, BeforeValidator(_lower)]
    status: Annotated[BehavioralDetection.Status, BeforeValidator(_lower)] = Field(
        validation_alias=AliasChoices("threat_status", "status")
    )
    informational_tags: Words = []
    malware_family: Words = []
    library_item_uuid: UUID | None = Field(default=None, validation_alias=AliasPath("library_item", "id"))


def _nested(name: str, *path: str) -> tuple[Any, Any]:
    """The field for a text column, from a nested object of the row."""
    text = Annotated[str, column(BehavioralDetection, name), NULL_AS_EMPTY]
    return text, Field(default="", validation_alias=AliasPath(*path))


_NESTED: dict[str, Any] = {
    "library_item_name": _nested("library_item_name", "library_item", "name"),
    "malware_posture": _nested("malware_posture", "library_item", "mal_posture_mode"),
    **{
        f"{process}_{name}": _nested(f"{process}_{name}", f"{process}_process", name)
        for process in ("parent", "target")
        for name in ("name", "command_line", "image_path", "owner", "sha256")
    },
    **{
        f"{process}_pid": (Count, Field(default=0, validation_alias=AliasPath(f"{process}_process", "pid")))
        for process in ("parent", "target")
    },
}
# A row of `/behavioral-detections`, in either version.
BehaviorIn = create_model("BehaviorIn", __base__=_Behavior, **_NESTED)


def finding_of(document: object) -> Finding:
    """The finding in a row of any API list about threats or vulnerabilities. Raises RowError."""
    if isinstance(document, UnreadableRow):
        raise RowError(document.reason)
    if not isinstance(document, dict):
        raise RowError("not a JSON object")
    if "cve_id" in document:
        return _detection(document) if "device_id" in document else _vulnerability(document)
    if "threat_id" in document:
        facts = _facts(BehaviorIn, document)
        return BehaviorFound(facts.pop("uuid"), facts)
    if "threat_name" in document:
        return ThreatFound({"file_path": "", "file_hash": "", **_facts(ThreatIn, document)})
    raise RowError("neither a threat nor a vulnerability nor a detection of one")


def _facts(model: type[BaseModel], document: dict[str, Any]) -> dict[str, Any]:
    return validated(model, document).model_dump(exclude_unset=True)


def _vulnerability(document: dict[str, Any]) -> VulnerabilityFound:
    facts = _facts(VulnerabilityIn, document)
    return VulnerabilityFound(facts.pop("cve_id"), facts)


def _detection(document: dict[str, Any]) -> DetectionFound:
    facts = _facts(DetectionIn, document)
    device = facts.pop("device_id")
    package = Package(**{name: facts.pop(name, "") for name in ("name", "version", "path", "bundle_id")})
    facts.setdefault("last_detected_at", facts["first_detected_at"])
    found = VulnerabilityFound(facts.pop("cve_id"), facts)
    return DetectionFound(device, found, package, facts["first_detected_at"], facts["last_detected_at"])
