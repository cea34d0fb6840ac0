from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from devices.dates import spaced_zoneless, zulu
from devices.filters import FILTER_FORM, Column
from devices.inputs import LONGEST_FILTER, PAGE_SIZE, ROWS, FilterText, Limit, Listed, PageNumber, Query, page_size
from devices.models import Severity, Vulnerability, VulnerabilityDetection
from devices.security import columns
from devices.security.vulnerabilities import AffectedDevice, AffectedSoftware, AffectedVersion

DEFAULT_SIZE = 50
LONGEST_SUBLIST = 50

type Sublist = Annotated[int, page_size(LONGEST_SUBLIST), Field(ge=1, le=LONGEST_SUBLIST, description=ROWS)]


def _filter(known: Mapping[str, Column]) -> str:
    return f"{FILTER_FORM} Columns: {', '.join(known)}. At most {LONGEST_FILTER:,} bytes."


class VulnerabilityQuery(Query):
    page: PageNumber = 1
    size: Limit = Field(default=DEFAULT_SIZE, description=ROWS)
    sort_by: Literal[
        "age",
        "-age",
        "cve_id",
        "-cve_id",
        "cvss_score",
        "-cvss_score",
        "device_count",
        "-device_count",
        "known_exploit",
        "-known_exploit",
        "software",
        "-software",
        "severity",
        "-severity",
        "status",
        "-status",
    ] = Field(default="cve_id", description="The column to sort by, descending with a `-` before its name.")
    filter: FilterText | None = Field(default=None, description=_filter(columns.VULNERABILITIES))


class DetectionQuery(Query):
    """`limit` is an alias of `size`. `device_id`, `severity` and `status` filter here; the public API ignores them."""

    after: str | None = Field(
        default=None, description="The `next` or `previous` of another page; left out, the first page."
    )
    size: Limit = PAGE_SIZE
    limit: Limit = Field(
        default=PAGE_SIZE, description="Another name for `size`, which it replaces where both are sent."
    )
    filter: FilterText | None = Field(default=None, description=_filter(columns.DETECTIONS))
    device_id: UUID | None = Field(default=None, description="Detections on the device with exactly this id.")
    severity: Listed[str] | None = Field(
        default=None,
        description=f"Detections of exactly one of these severities; case is ignored: {', '.join(columns.SEVERITIES)}.",
    )
    status: Listed[str] | None = Field(
        default=None,
        description=(
            "Active detections, remediated ones, or both with `active,remediated`; case is "
            "ignored. Left out, the active ones."
        ),
    )


class VulnerableDeviceQuery(Query):
    page: PageNumber = 1
    size: Sublist = DEFAULT_SIZE
    sort_by: Literal["name", "-name", "detection_datetime", "-detection_datetime"] = Field(
        default="name", description="The column to sort by, descending with a `-` before its name."
    )
    filter: FilterText | None = Field(default=None, description=_filter(columns.DEVICES))


class VulnerableSoftwareQuery(Query):
    page: PageNumber = 1
    size: Sublist = DEFAULT_SIZE
    sort_by: Literal["software", "-software", "detection_datetime", "-detection_datetime"] = Field(
        default="software", description="The column to sort by, descending with a `-` before its name."
    )
    filter: FilterText | None = Field(default=None, description=_filter(columns.SOFTWARE))


class VulnerabilityOut(BaseModel):
    """A CVE, with the number of devices that have it now. `kev_score` is 1 for a known exploited vulnerability."""

    cve_id: str
    severity: str
    cvss_score: float
    kev_score: int
    cve_link: str
    first_detection_date: str
    latest_detection_date: str
    device_count: int
    software: list[str]
    status: str

    @classmethod
    def of(cls, row: Vulnerability) -> "VulnerabilityOut":
        return cls.model_construct(
            cve_id=row.cve_id,
            severity=Severity(row.severity).label,
            cvss_score=row.cvss_score,
            kev_score=int(row.known_exploited),
            cve_link=row.link,
            first_detection_date=zulu(row.first_detected_at),
            latest_detection_date=zulu(row.last_detected_at),
            device_count=row.device_count,
            software=row.software,
            status=row.status,
        )


class VulnerabilityDescription(BaseModel):
    """A CVE with its description, and how many devices and how many packages have it."""

    cve_id: str
    severity: str
    cvss_score: float
    kev_score: int
    epss_score: float
    cve_link: str
    description: str
    first_detection_date: str
    software_count: int
    latest_detection_date: str
    device_count: int
    cve_published_at: str | None
    cve_modified_at: str | None

    @classmethod
    def of(cls, row: Vulnerability) -> "VulnerabilityDescription":
        return cls.model_construct(
            cve_id=row.cve_id,
            severity=Severity(row.severity).label,
            cvss_score=row.cvss_score,
            kev_score=int(row.known_exploited),
            epss_score=row.epss_score,
            cve_link=row.link,
            description=row.description,
            first_detection_date=spaced_zoneless(row.first_detected_at),
            software_count=len(row.software),
            latest_detection_date=spaced_zoneless(row.last_detected_at),
            device_count=row.device_count,
            cve_published_at=spaced_zoneless(row.published_at),
            cve_modified_at=spaced_zoneless(row.modified_at),
        )


class DetectionOut(BaseModel):
    """A vulnerable package on a device. It has the keys of the documentation and those of the live service."""

    device_id: UUID
    device_name: str
    device_serial_number: str
    device_model: str
    device_os_version: str
    blueprint_id: UUID
    blueprint_name: str
    name: str
    version: str
    path: str
    bundle_id: str | None
    cve_id: str
    cve_description: str
    description: str
    cve_link: str
    cvss_score: float
    cvss_severity: str
    severity: str
    first_detection_date: str
    latest_detection_date: str
    detection_datetime: str
    cve_published_at: str | None
    cve_modified_at: str | None

    @classmethod
    def of(cls, row: VulnerabilityDetection) -> "DetectionOut":
        """`row` comes with its device, the device's Blueprint, its package and its vulnerability."""
        device, package, cve = row.device, row.software, row.vulnerability
        severity, first = Severity(row.severity).label, spaced_zoneless(row.first_detected_at)
        return cls.model_construct(
            device_id=device.uuid,
            device_name=device.name,
            device_serial_number=device.serial_number,
            device_model=device.model,
            device_os_version=device.os_version,
            blueprint_id=device.blueprint.uuid,
            blueprint_name=device.blueprint.name,
            name=package.name,
            version=package.version,
            path=package.path,
            bundle_id=package.bundle_id or None,
            cve_id=cve.cve_id,
            cve_description=cve.description,
            description=cve.description,
            cve_link=cve.link,
            cvss_score=cve.cvss_score,
            cvss_severity=severity,
            severity=severity,
            first_detection_date=first,
            latest_detection_date=spaced_zoneless(row.last_detected_at),
            detection_datetime=first,
            cve_published_at=spaced_zoneless(cve.published_at),
            cve_modified_at=spaced_zoneless(cve.modified_at),
        )


class DetectionPage(BaseModel):
    """`next` and `previous` are tokens, not addresses: send one as `after` to get that page."""

    next: str | None
    previous: str | None
    results: list[DetectionOut]


class SoftwareSummary(BaseModel):
    name: str
    detection_date: str
    path: str
    version: str


class VulnerableDevice(BaseModel):
    """A device with the vulnerability, the number of its vulnerable packages, and the first of these packages."""

    device_id: UUID
    name: str
    serial_number: str
    model: str
    os_version: str
    blueprint_id: UUID
    blueprint_name: str
    assigned_user: str
    no_of_installs: int
    software_summary: SoftwareSummary

    @classmethod
    def of(cls, row: AffectedDevice) -> "VulnerableDevice":
        device, first = row.device, row.detections[0]
        return cls.model_construct(
            device_id=device.uuid,
            name=device.name,
            serial_number=device.serial_number,
            model=device.model,
            os_version=device.os_version,
            blueprint_id=device.blueprint.uuid,
            blueprint_name=device.blueprint.name,
            assigned_user=device.user.name if device.user else "",
            no_of_installs=len(row.detections),
            software_summary=SoftwareSummary.model_construct(
                name=first.software.name,
                detection_date=spaced_zoneless(first.first_detected_at),
                path=first.software.path,
                version=first.software.version,
            ),
        )


class NamedBlueprint(BaseModel):
    id: UUID
    name: str


class SoftwareVersion(BaseModel):
    latest_detection_date: str
    blueprints: list[NamedBlueprint]
    version: str
    devices_impacted: int

    @classmethod
    def of(cls, row: AffectedVersion) -> "SoftwareVersion":
        return cls.model_construct(
            latest_detection_date=spaced_zoneless(row.latest),
            blueprints=_blueprints(row.blueprints),
            version=row.version,
            devices_impacted=row.devices,
        )


class VulnerableSoftwareOut(BaseModel):
    """A package with the vulnerability, and its versions on devices."""

    name: str
    bundle_id: str
    num_versions: int
    type: str | None
    blueprints: list[NamedBlueprint]
    num_devices: int
    software_versions: list[SoftwareVersion]

    @classmethod
    def of(cls, row: AffectedSoftware) -> "VulnerableSoftwareOut":
        return cls.model_construct(
            name=row.name,
            bundle_id=row.bundle_id,
            num_versions=len(row.versions),
            type=None,
            blueprints=_blueprints(row.blueprints),
            num_devices=row.devices,
            software_versions=[SoftwareVersion.of(version) for version in row.versions],
        )


def _blueprints(names: dict[UUID, str]) -> list[NamedBlueprint]:
    return [
        NamedBlueprint.model_construct(id=uuid, name=name) for uuid, name in sorted(names.items(), key=lambda b: b[1])
    ]
