"""Write vulnerabilities and their detections, and update the stored counts."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from access.models import Tenant
from devices.models import Vulnerability, VulnerabilityDetection, VulnerableSoftware
from devices.security.facts import DetectionFound, Facts, Package, VulnerabilityFound, assign

_KEPT = ("device_count", "software")
_COLUMNS = [
    field.name
    for field in Vulnerability._meta.concrete_fields
    if field.name not in {"id", "tenant", "cve_id", "device_count"}
]


def store_vulnerabilities(
    tenant: Tenant, found: list[VulnerabilityFound]
) -> tuple[dict[str, Vulnerability], Counter[str]]:
    """Save vulnerabilities. Returns their rows by CVE id, and the numbers of `created` and `updated` rows.

    The period of detections of a vulnerability only grows, and so does the list of its packages.
    """
    rows = {row.cve_id: row for row in tenant.vulnerabilities.filter(cve_id__in={each.cve_id for each in found})}
    before = {cve_id: _values(row) for cve_id, row in rows.items()}
    now = timezone.now()
    for each in found:
        if row := rows.get(each.cve_id):
            assign(row, _widened(row, each.facts))
        else:
            dates = {"first_detected_at": now, "last_detected_at": now}
            rows[each.cve_id] = Vulnerability(tenant=tenant, cve_id=each.cve_id, **{**dates, **each.facts})
    new = [row for cve_id, row in rows.items() if cve_id not in before]
    changed = [row for cve_id, row in rows.items() if cve_id in before and _values(row) != before[cve_id]]
    Vulnerability.objects.bulk_create(new)
    Vulnerability.objects.bulk_update(changed, _COLUMNS, batch_size=200)
    for row in changed:
        if row.severity != before[row.cve_id]["severity"]:
            row.detections.update(severity=row.severity)
    return rows, Counter(created=len(new), updated=len(changed))


def packages_of(tenant: Tenant, packages: set[Package]) -> dict[Package, int]:
    """Create the new packages. Returns the primary keys of all packages."""
    by_key = {package.key: package for package in packages}
    known = dict(tenant.vulnerable_software.filter(key__in=by_key).values_list("key", "pk"))
    new = [
        VulnerableSoftware(
            tenant=tenant,
            key=key,
            name=package.name,
            version=package.version,
            path=package.path,
            bundle_id=package.bundle_id,
        )
        for key, package in by_key.items()
        if key not in known
    ]
    known.update((row.key, row.pk) for row in VulnerableSoftware.objects.bulk_create(new))
    return {package: known[key] for key, package in by_key.items()}


class Detections:
    """All detections on some devices, to be changed and saved once. The counts of vulnerabilities are then exact,
    because they depend only on these detections."""

    def __init__(self, tenant: Tenant, devices: Iterable[int]) -> None:
        self._tenant = tenant
        stored = tenant.vulnerability_detections.filter(device__in=list(devices))
        self._rows = {(row.device_id, row.vulnerability_id, row.software_id): row for row in stored}
        self._before = self._active_pairs()
        self._names: dict[int, dict[str, None]] = {}  # names of packages, by vulnerability
        self.new: list[VulnerabilityDetection] = []
        self.changed: dict[int, VulnerabilityDetection] = {}
        self.named: list[VulnerabilityDetection] = []

    def add(self, found: DetectionFound, device: int, vulnerability: Vulnerability, software: int) -> None:
        key = (device, vulnerability.pk, software)
        if row := self._rows.get(key):
            last = max(row.last_detected_at, found.last_detected_at)
            if assign(row, {"last_detected_at": last, "remediated_at": None}) and row.pk:
                self.changed[row.pk] = row
        else:
            row = self._rows[key] = VulnerabilityDetection(
                tenant=self._tenant,
                device_id=device,
                vulnerability=vulnerability,
                software_id=software,
                severity=vulnerability.severity,
                first_detected_at=found.first_detected_at,
                last_detected_at=found.last_detected_at,
            )
            self.new.append(row)
        self.named.append(row)
        self._names.setdefault(vulnerability.pk, {})[found.package.name] = None

    def remediate(self, pks: set[int]) -> None:
        now = timezone.now()
        for row in self._rows.values():
            if row.pk in pks and row.remediated_at is None:
                row.remediated_at = now
                self.changed[row.pk] = row

    def save(self) -> None:
        changed = list(self.changed.values())
        VulnerabilityDetection.objects.bulk_create(self.new)
        VulnerabilityDetection.objects.bulk_update(changed, ["last_detected_at", "remediated_at"], batch_size=500)
        counts = Counter(vulnerability for _, vulnerability in self._active_pairs())
        counts.subtract(vulnerability for _, vulnerability in self._before)
        touched = {pk for pk, count in counts.items() if count} | self._names.keys()
        rows = [
            row
            for row in self._tenant.vulnerabilities.filter(pk__in=touched)
            if assign(row, {"device_count": row.device_count + counts[row.pk], "software": self._software(row)})
        ]
        Vulnerability.objects.bulk_update(rows, _KEPT, batch_size=500)

    def _software(self, row: Vulnerability) -> list[str]:
        return _widened(row, {"software": list(self._names.get(row.pk, ()))})["software"]  # type: ignore[no-any-return]

    def _active_pairs(self) -> set[tuple[int, int]]:
        return {(row.device_id, row.vulnerability_id) for row in self._rows.values() if row.remediated_at is None}


def _values(row: Vulnerability) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS}


def _widened(row: Vulnerability, given: Facts) -> Facts:
    facts = dict(given)
    if "first_detected_at" in facts:
        facts["first_detected_at"] = min(facts["first_detected_at"], row.first_detected_at)
    if "last_detected_at" in facts:
        facts["last_detected_at"] = max(facts["last_detected_at"], row.last_detected_at)
    if "software" in facts:
        facts["software"] = [*row.software, *(name for name in facts["software"] if name not in row.software)]
    return facts
