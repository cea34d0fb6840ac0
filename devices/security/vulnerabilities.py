"""Read vulnerabilities: the lists of the API and of the pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, Max, Min, Model, OuterRef, Q, QuerySet
from django.db.models.lookups import In

from access.models import Tenant
from devices.filters import Column, Comparison, condition
from devices.models import Device, Severity, Vulnerability, VulnerabilityDetection
from devices.security import columns

# Up to this number of devices or packages, a query finds them first, and then their detections by an index. More of
# them have so many detections that a walk through all detections soon fills a page.
FEW = 1000
SORTED = 5000  # detections that a page may sort
NEWEST = ("first_detected_at", "id")
LAST_SEEN = "latest_detection_date"


def vulnerabilities(
    tenant: Tenant, comparisons: Iterable[Comparison], sort_by: str = "cve_id"
) -> QuerySet[Vulnerability]:
    """The vulnerabilities for a filter of VULNERABILITIES, sorted by VULNERABILITY_ORDER, descending with `-`."""
    order = columns.VULNERABILITY_ORDER[sort_by.removeprefix("-")].copy()
    if sort_by.startswith("-"):
        order.reverse_ordering()
    found = tenant.vulnerabilities.filter(condition(comparisons, columns.VULNERABILITIES))
    return found.order_by(order, "cve_id")


def detections(
    tenant: Tenant,
    comparisons: Iterable[Comparison],
    *,
    device_id: UUID | None = None,
    severities: list[Severity] | None = None,
    remediated: bool | None = False,
) -> QuerySet[VulnerabilityDetection]:
    """The unsorted detections for a filter of DETECTIONS: active, remediated or both (None)."""
    rows = tenant.vulnerability_detections.all()
    if remediated is not None:
        rows = rows.filter(remediated_at__isnull=not remediated)
    if device_id is not None:
        rows = rows.filter(device__in=list(tenant.devices.filter(uuid=device_id).values_list("pk", flat=True)))
    if severities is not None:
        rows = rows.filter(severity__in=severities)
    parts: list[tuple[str, Mapping[str, Column], QuerySet[Any]]] = [
        ("device", columns.OF_DEVICE, tenant.devices.all()),
        ("software", columns.OF_PACKAGE, tenant.vulnerable_software.all()),
        ("vulnerability", columns.OF_VULNERABILITY, tenant.vulnerabilities.all()),
    ]
    comparisons = list(comparisons)
    for field, own, related in parts:
        if of_part := [each for each in comparisons if each.column in own]:
            rows = rows.filter(_among(tenant, field, related.filter(condition(of_part, own))))
    seen = [each for each in comparisons if each.column == LAST_SEEN]
    if seen and remediated is False:  # the index has the active ones
        found = tenant.vulnerability_detections.filter(condition(seen, columns.OF_DETECTION), remediated_at=None)
        if (keys := _few(found.order_by("last_detected_at"), SORTED)) is not None:
            rows = rows.filter(pk__in=keys)
    return rows.filter(
        condition((each for each in comparisons if each.column in columns.OF_DETECTION), columns.OF_DETECTION)
    )


def _among[M: Model](tenant: Tenant, field: str, rows: QuerySet[M]) -> Q:
    """Detections that refer to one of the rows: by their own keys if rows and detections are few. Otherwise each step
    of a walk tests it, because a database would collect and sort all detections of many rows for each page."""
    if (keys := _few(rows.order_by(), FEW)) is not None:
        found = tenant.vulnerability_detections.filter(**{f"{field}__in": keys}).order_by()
        if (detected := _few(found, SORTED)) is not None:
            return Q(pk__in=detected)
        if field == "vulnerability" and len(keys) == 1:
            return Q(vulnerability=keys[0])  # which has an index in the order of the list
        return Q(In(F(f"{field}_id") + 0, keys))  # a sum has no index
    has_one = Q(Exists(rows.filter(pk=OuterRef(field))))
    if field == "vulnerability":
        # No detection is older than the first one of its vulnerability, so a walk for new vulnerabilities begins there.
        return has_one & Q(first_detected_at__gte=rows.aggregate(first=Min("first_detected_at"))["first"])
    return has_one


def _few(rows: QuerySet[Any], most: int) -> list[int] | None:
    """The primary keys of the rows; None where there are more than `most`."""
    keys = list(rows.values_list("pk", flat=True)[: most + 1])
    return keys if len(keys) <= most else None


@dataclass(frozen=True, slots=True)
class AffectedDevice:
    """A device with its detections of one vulnerability, oldest first."""

    device: Device
    detections: list[VulnerabilityDetection]


MANY = 1000  # devices of one vulnerability


def affected_devices(
    vulnerability: Vulnerability, comparisons: Iterable[Comparison], sort_by: str, start: int, size: int
) -> tuple[list[AffectedDevice], int]:
    """The devices with the vulnerability for a filter of DEVICES, from `start` on, and the number of all of them.

    They are sorted by `name` or `detection_datetime`, descending with `-`.
    """
    comparisons = list(comparisons)
    found = _active(vulnerability).filter(condition(comparisons, columns.DEVICES))
    order = {"name": "device__name", "detection_datetime": "first"}[sort_by.removeprefix("-")]
    sign = "-" if sort_by.startswith("-") else ""
    by_device = found.values("device").annotate(first=Min("first_detected_at"))
    total = by_device.order_by().count() if comparisons else vulnerability.device_count
    page: QuerySet[Any, Any]
    if order == "device__name" and not comparisons and total > MANY:
        # A walk through the names of devices soon finds them. Sorting would read all of these devices.
        has_it = Exists(_active(vulnerability).filter(device=OuterRef("pk")))
        page = vulnerability.tenant.devices.filter(has_it).order_by(f"{sign}name", f"{sign}pk").values(device=F("pk"))
    else:
        page = by_device.order_by(f"{sign}{order}", f"{sign}device")
    keys = [row["device"] for row in page[start : start + size]] if start < total else []
    devices = vulnerability.tenant.devices.select_related("blueprint", "user").defer("record_json").in_bulk(keys)
    rows: dict[int, list[VulnerabilityDetection]] = {}
    for row in found.filter(device__in=keys).select_related("software").order_by(*NEWEST):
        rows.setdefault(row.device_id, []).append(row)
    return [AffectedDevice(devices[key], rows[key]) for key in keys if key in devices and key in rows], total


@dataclass(slots=True)
class AffectedVersion:
    """A version of a package: its devices, their Blueprints, and the time when it was last found on a device."""

    version: str
    devices: int
    latest: datetime
    blueprints: dict[UUID, str]


@dataclass(slots=True)
class AffectedSoftware:
    name: str
    bundle_id: str
    devices: int
    latest: datetime
    versions: list[AffectedVersion]

    @property
    def blueprints(self) -> dict[UUID, str]:
        return {uuid: name for version in self.versions for uuid, name in version.blueprints.items()}


def affected_software(
    vulnerability: Vulnerability, comparisons: Iterable[Comparison] = (), sort_by: str = "software"
) -> list[AffectedSoftware]:
    """The packages that now have the vulnerability on some device, for a filter of SOFTWARE, with their versions.

    They are sorted by `software` or `detection_datetime`, descending with `-`. The list has no pages, because few
    packages share a vulnerability.
    """
    found = _active(vulnerability).filter(condition(comparisons, columns.SOFTWARE)).order_by()
    package = {"name": F("software__name"), "bundle_id": F("software__bundle_id")}
    devices, latest = Count("device", distinct=True), Max("last_detected_at")
    packages = {
        (row["name"], row["bundle_id"]): AffectedSoftware(**row, versions=[])
        for row in found.values(**package)
        .annotate(devices=devices, latest=latest)
        .values(*package, "devices", "latest")
    }
    versions: dict[tuple[str, str, str], AffectedVersion] = {}
    by_version: Any = found.values(**package, version=F("software__version"))
    for row in by_version.annotate(devices=devices, latest=latest):
        version = AffectedVersion(row["version"], row["devices"], row["latest"], {})
        versions[row["name"], row["bundle_id"], row["version"]] = version
        packages[row["name"], row["bundle_id"]].versions.append(version)
    where = by_version.values(
        *package, "version", uuid=F("device__blueprint__uuid"), blueprint=F("device__blueprint__name")
    )
    for row in where.distinct():
        versions[row["name"], row["bundle_id"], row["version"]].blueprints[row["uuid"]] = row["blueprint"]
    return _sorted(list(packages.values()), sort_by)


def _sorted(packages: list[AffectedSoftware], sort_by: str) -> list[AffectedSoftware]:
    backwards = sort_by.startswith("-")
    packages.sort(key=lambda package: (package.name.casefold(), package.bundle_id), reverse=backwards)
    if sort_by.removeprefix("-") == "detection_datetime":
        packages.sort(key=lambda package: package.latest, reverse=backwards)
    for package in packages:
        package.versions.sort(key=lambda version: version.version)
    return packages


def _active(vulnerability: Vulnerability) -> QuerySet[VulnerabilityDetection]:
    return vulnerability.detections.filter(remediated_at=None)
