"""The filters of the lists of threats."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from devices.inputs import ROWS, Listed, Offset, Query, page_size
from devices.models import BehavioralDetection, ManagementState, Threat, ThreatSeverity
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


def _sorting(names: Iterable[str]) -> str:
    return f"The column to sort by, descending with a `-` before its name: {', '.join(sorted(names))}."


_THREATS, _THREAT_STATES = ", ".join(Threat.Classification.values), ", ".join(Threat.Status.values)
_BEHAVIORS = ", ".join(BehavioralDetection.Classification.values)
_BEHAVIOR_STATES = ", ".join(BehavioralDetection.Status.values)
_STATES = ", ".join(ManagementState.values)
_SEVERITIES = ", ".join(severity.name.lower() for severity in ThreatSeverity)
_THREAT_TERM = "Threats whose file hash, file path or device name contains this text; case is ignored."
_BEHAVIOR_TERM = (
    "Detections with this text in the hash or path of the parent or target process, or in the name of the device; "
    "case is ignored."
)

type Moment = Annotated[datetime, BeforeValidator(_moment)]
type From = Annotated[
    Moment, Field(description="Detected at or after this date and time; without a time zone it is UTC.")
]
type To = Annotated[
    Moment, Field(description="Detected at or before this date and time; without a time zone it is UTC.")
]
type UpperWords = Annotated[Listed[str], AfterValidator(_upper)]
type LowerWords = Annotated[Listed[str], AfterValidator(_lower)]
type Days = Annotated[
    int,
    Field(
        ge=0, le=MOST_DAYS, description="Detected within so many days before now; ignored where a date is given too."
    ),
]


class _Page(Query):
    limit: Annotated[int, page_size(LONGEST_PAGE), Field(ge=1, le=LONGEST_PAGE)] = Field(
        default=LONGEST_PAGE, description=ROWS
    )
    offset: Offset = 0
    device_id: UUID | None = Field(default=None, description="Only threats on the device with exactly this id.")


class FirstThreatQuery(_Page):
    classification: UpperWords | None = Field(
        default=None, description=f"Threats of exactly one of these classes; case is ignored: {_THREATS}."
    )
    status: UpperWords | None = Field(
        default=None, description=f"Threats in exactly one of these states; case is ignored: {_THREAT_STATES}."
    )
    date_range: Days | None = None
    term: str | None = Field(default=None, description=_THREAT_TERM)
    sort_by: Annotated[str, _sorted_by(FIRST_THREAT_ORDERS)] = Field(
        default="-detection_date", description=_sorting(FIRST_THREAT_ORDERS)
    )

    def filters(self) -> dict[str, Any]:
        return {
            "device_id": self.device_id,
            "classifications": self.classification,
            "statuses": self.status,
            "days": self.date_range,
            "term": self.term,
        }


class FirstBehaviorQuery(_Page):
    threat_id: str | None = Field(default=None, description="Detections with exactly this id of a threat.")
    classification: LowerWords | None = Field(
        default=None, description=f"Detections of exactly one of these classes; case is ignored: {_BEHAVIORS}."
    )
    status: LowerWords | None = Field(
        default=None, description=f"Detections in exactly one of these states; case is ignored: {_BEHAVIOR_STATES}."
    )
    date_range: Days | None = None
    detection_date_from: From | None = None
    detection_date_to: To | None = None
    malware_family: str | None = Field(
        default=None, description="Detections with this family of malware; case is ignored."
    )
    parent_process_name: str | None = Field(
        default=None, description="Detections whose parent process has a name that contains this text; case is ignored."
    )
    target_process_name: str | None = Field(
        default=None, description="Detections whose target process has a name that contains this text; case is ignored."
    )
    informational_tags: Listed[str] | None = Field(
        default=None, description="Detections with one of these informational tags; case is ignored."
    )
    term: str | None = Field(default=None, description=_BEHAVIOR_TERM)
    sort_by: Annotated[str, _sorted_by(FIRST_BEHAVIOR_ORDERS)] = Field(
        default="-detection_date", description=_sorting(FIRST_BEHAVIOR_ORDERS)
    )

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
    management_state: LowerWords | None = Field(
        default=None,
        description=f"Threats in exactly one of these states in the organization; case is ignored: {_STATES}.",
    )
    severities: LowerWords | None = Field(
        default=None, description=f"Threats of exactly one of these severities; case is ignored: {_SEVERITIES}."
    )
    tags: Listed[str] | None = Field(default=None, description="Threats with one of these tags; case is ignored.")

    def filters(self) -> dict[str, Any]:
        return {
            "device_id": self.device_id,
            "management_states": self.management_state,
            "severities": self.severities,
            "tags": self.tags,
        }


class ThreatQuery(_Managed):
    statuses: UpperWords | None = Field(
        default=None, description=f"Threats in exactly one of these states; case is ignored: {_THREAT_STATES}."
    )
    classification: UpperWords | None = Field(
        default=None, description=f"Threats of exactly one of these classes; case is ignored: {_THREATS}."
    )
    term: str | None = Field(default=None, description=_THREAT_TERM)
    detection_date_from: From | None = None
    detection_date_to: To | None = None
    date_range: Days | None = None
    sort_by: Annotated[str, _sorted_by(THREAT_ORDERS)] = Field(
        default="-detection_date", description=_sorting(THREAT_ORDERS)
    )

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
    classifications: Annotated[Listed[str], AfterValidator(_classifications)] | None = Field(
        default=None,
        description=f"Detections of exactly one of these classes; case is ignored: {_BEHAVIORS}, or short mal, sus.",
    )
    statuses: LowerWords | None = Field(
        default=None, description=f"Detections in exactly one of these states; case is ignored: {_BEHAVIOR_STATES}."
    )
    search_term: str | None = Field(default=None, description=_BEHAVIOR_TERM)
    detection_from: From | None = None
    detection_to: To | None = None
    sort_by: Annotated[str, _sorted_by(BEHAVIOR_ORDERS)] = Field(
        default="-detection_date", description=_sorting(BEHAVIOR_ORDERS)
    )

    def filters(self) -> dict[str, Any]:
        return {
            **super().filters(),
            "classifications": self.classifications,
            "statuses": self.statuses,
            "detected_from": self.detection_from,
            "detected_to": self.detection_to,
            "term": self.search_term,
        }
