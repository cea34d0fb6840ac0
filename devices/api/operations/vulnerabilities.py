"""Vulnerabilities, where they were detected, and which devices and packages have one."""

from collections.abc import Mapping

from django.db.models import Q

from devices.api.identity import ApiRequest
from devices.api.pagination import NumberedPage, keyset
from devices.api.routing import Router
from devices.api.schemas.vulnerabilities import (
    DetectionOut,
    DetectionPage,
    DetectionQuery,
    VulnerabilityDescription,
    VulnerabilityOut,
    VulnerabilityQuery,
    VulnerableDevice,
    VulnerableDeviceQuery,
    VulnerableSoftwareOut,
    VulnerableSoftwareQuery,
)
from devices.api.sections import VULNERABILITIES
from devices.filters import Column, Comparison, read_filter
from devices.models import Severity, Vulnerability
from devices.security import columns
from devices.security.vulnerabilities import (
    NEWEST,
    affected_devices,
    affected_software,
    detections,
    vulnerabilities,
)
from devices.text import has_null_character

LISTS = "/vulnerability-management"

router = Router(VULNERABILITIES)


@router.operation(
    "GET",
    f"{LISTS}/detections",
    id="list_vulnerability_detections",
    label="List Detections",
    about="Get a list of the vulnerable packages that were detected on devices",
    response=DetectionPage,
)
def list_vulnerability_detections(request: ApiRequest, query: DetectionQuery) -> DetectionPage:
    remediated = _remediated(query.status)
    rows = detections(
        request.tenant,
        _comparisons(query.filter, columns.DETECTIONS),
        device_id=query.device_id,
        severities=_severities(query.severity),
        remediated=remediated,
    )
    found, following, preceding = keyset(
        rows.select_related("device__blueprint", "software", "vulnerability").defer("device__record_json"),
        size=query.limit if "limit" in query.model_fields_set else query.size,
        cursor=query.after,
        order=NEWEST,
        parameter="after",
        # The list of active detections has an index, and that of remediated ones.
        parts=[Q(remediated_at=None), Q(remediated_at__isnull=False)] if remediated is None else (),
    )
    return DetectionPage(next=following, previous=preceding, results=[DetectionOut.of(row) for row in found])


@router.operation(
    "GET",
    f"{LISTS}/vulnerabilities",
    id="list_vulnerabilities",
    label="List Vulnerabilities",
    about="Get a list of the vulnerabilities that were detected on devices",
    response=NumberedPage[VulnerabilityOut],
)
def list_vulnerabilities(request: ApiRequest, query: VulnerabilityQuery) -> NumberedPage[VulnerabilityOut]:
    rows = vulnerabilities(request.tenant, _comparisons(query.filter, columns.VULNERABILITIES), query.sort_by)
    start = (query.page - 1) * query.size
    return NumberedPage(
        page=query.page,
        size=query.size,
        total=rows.order_by().count(),
        results=[VulnerabilityOut.of(row) for row in rows[start : start + query.size]],
    )


@router.operation(
    "GET",
    f"{LISTS}/vulnerabilities/{{cve_id}}",
    id="get_vulnerability",
    label="Get Vulnerability Description",
    about="Get one vulnerability with its description",
    response=VulnerabilityDescription,
)
def get_vulnerability(request: ApiRequest, cve_id: str) -> VulnerabilityDescription:
    return VulnerabilityDescription.of(_vulnerability(request, cve_id))


@router.operation(
    "GET",
    f"{LISTS}/vulnerabilities/{{cve_id}}/devices",
    id="list_vulnerability_devices",
    label="List Affected Devices",
    about="Get a list of the devices that have a vulnerability",
    response=NumberedPage[VulnerableDevice],
)
def list_vulnerability_devices(
    request: ApiRequest, cve_id: str, query: VulnerableDeviceQuery
) -> NumberedPage[VulnerableDevice]:
    comparisons = _comparisons(query.filter, columns.DEVICES)
    start = (query.page - 1) * query.size
    rows, total = affected_devices(_vulnerability(request, cve_id), comparisons, query.sort_by, start, query.size)
    return NumberedPage(
        page=query.page, size=query.size, total=total, results=[VulnerableDevice.of(row) for row in rows]
    )


@router.operation(
    "GET",
    f"{LISTS}/vulnerabilities/{{cve_id}}/software",
    id="list_vulnerability_software",
    label="List Affected Software",
    about="Get a list of the packages that have a vulnerability, with their versions",
    response=NumberedPage[VulnerableSoftwareOut],
)
def list_vulnerability_software(
    request: ApiRequest, cve_id: str, query: VulnerableSoftwareQuery
) -> NumberedPage[VulnerableSoftwareOut]:
    return _software(request, cve_id, query)


@router.operation(
    "GET",
    f"{LISTS}/vulnerabilities/{{cve_id}}/applications",
    id="list_vulnerability_applications_legacy",
    label="List Affected Apps (old name)",
    about="Get the same list as List Affected Software, by the path that it had until 2025",
    response=NumberedPage[VulnerableSoftwareOut],
)
def list_vulnerability_applications_legacy(
    request: ApiRequest, cve_id: str, query: VulnerableSoftwareQuery
) -> NumberedPage[VulnerableSoftwareOut]:
    return _software(request, cve_id, query)


def _software(request: ApiRequest, cve_id: str, query: VulnerableSoftwareQuery) -> NumberedPage[VulnerableSoftwareOut]:
    comparisons = _comparisons(query.filter, columns.SOFTWARE)
    rows = affected_software(_vulnerability(request, cve_id), comparisons, query.sort_by)
    start = (query.page - 1) * query.size
    shown = rows[start : start + query.size]
    return NumberedPage(
        page=query.page, size=query.size, total=len(rows), results=[VulnerableSoftwareOut.of(row) for row in shown]
    )


def _vulnerability(request: ApiRequest, cve_id: str) -> Vulnerability:
    if has_null_character(cve_id):  # PostgreSQL refuses such a text
        raise Vulnerability.DoesNotExist
    return request.tenant.vulnerabilities.get(cve_id=cve_id)


def _comparisons(filter: bytes | None, known: Mapping[str, Column]) -> list[Comparison]:
    return read_filter(filter, known) if filter else []


def _severities(words: list[str] | None) -> list[Severity] | None:
    if words is None:
        return None
    by_word = {label.lower(): severity for label, severity in columns.SEVERITIES.items()}
    return [by_word[word.lower()] for word in words if word.lower() in by_word]


def _remediated(statuses: list[str] | None) -> bool | None:
    """Whether the detections are remediated; False by default, None for active and remediated ones."""
    asked = {word.lower() for word in statuses or ["active"]} & {"active", "remediated"}
    return None if len(asked) == 2 else asked == {"remediated"}
