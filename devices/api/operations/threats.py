"""Threats on devices: files, and behavior of processes, each in two versions of the API."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django.db.models import QuerySet

from devices.api.identity import ApiRequest
from devices.api.pagination import page_links
from devices.api.routing import Deprecation, Router
from devices.api.schemas.threats import (
    BehaviorOut,
    BehaviorPage,
    FirstBehaviorOut,
    FirstThreatOut,
    ThreatOut,
    ThreatPage,
)
from devices.api.schemas.threats_filters import BehaviorQuery, FirstBehaviorQuery, FirstThreatQuery, ThreatQuery
from devices.api.sections import THREATS
from devices.models import BehavioralDetection, Threat
from devices.security.threats import (
    BEHAVIOR_ORDER,
    THREAT_ORDER,
    behavioral_detections,
    counted,
    in_order,
    page,
    threats,
)

router = Router(THREATS)
second_version = Router(THREATS, prefix="/api/v2")
# The date of the vendor's document that declares the first version deprecated.
DEPRECATED = date(2026, 5, 15)


@router.operation(
    "GET",
    "/threat-details",
    id="list_threat_details_v1",
    label="Get Threat Details",
    about="Get a list of the malware and unwanted programs that were found on devices",
    response=ThreatPage[FirstThreatOut],
    deprecated=Deprecation(since=DEPRECATED, instead="list_threat_details_v2"),
)
def list_threat_details_v1(request: ApiRequest, query: FirstThreatQuery) -> ThreatPage[FirstThreatOut]:
    return _threat_page(request, query, FirstThreatOut.of)


@router.operation(
    "GET",
    "/behavioral-detections",
    id="list_behavioral_detections_v1",
    label="Get Behavioral Detections",
    about="Get a list of the malicious or suspicious behavior of processes on devices",
    response=BehaviorPage[FirstBehaviorOut],
    deprecated=Deprecation(since=DEPRECATED, instead="list_behavioral_detections_v2"),
)
def list_behavioral_detections_v1(request: ApiRequest, query: FirstBehaviorQuery) -> BehaviorPage[FirstBehaviorOut]:
    return _behavior_page(request, query, FirstBehaviorOut.of)


@second_version.operation(
    "GET",
    "/threat/threat-details",
    id="list_threat_details_v2",
    label="Get Threat Details - v2",
    about="Get a list of the malware and unwanted programs that were found on devices, with their severity and state",
    response=ThreatPage[ThreatOut],
)
def list_threat_details_v2(request: ApiRequest, query: ThreatQuery) -> ThreatPage[ThreatOut]:
    return _threat_page(request, query, ThreatOut.of)


@second_version.operation(
    "GET",
    "/threat/behavioral-detections/events",
    id="list_behavioral_detections_v2",
    label="Get Behavioral Detections - v2",
    about="Get a list of the malicious or suspicious behavior of processes, with its severity and state",
    response=BehaviorPage[BehaviorOut],
)
def list_behavioral_detections_v2(request: ApiRequest, query: BehaviorQuery) -> BehaviorPage[BehaviorOut]:
    return _behavior_page(request, query, BehaviorOut.of)


def _threat_page[R](
    request: ApiRequest, query: FirstThreatQuery | ThreatQuery, result: Callable[[Threat], R]
) -> ThreatPage[R]:
    rows, numbers = counted(threats(request.tenant, **query.filters()))
    common = _page(request, query, in_order(rows, THREAT_ORDER, query.sort_by), numbers, result)
    return ThreatPage(
        count=sum(numbers.values()),
        malware_count=numbers.get(Threat.Classification.MALWARE, 0),
        pup_count=numbers.get(Threat.Classification.PUP, 0),
        **common,
    )


def _behavior_page[R](
    request: ApiRequest, query: FirstBehaviorQuery | BehaviorQuery, result: Callable[[BehavioralDetection], R]
) -> BehaviorPage[R]:
    rows, numbers = counted(behavioral_detections(request.tenant, **query.filters()))
    common = _page(request, query, in_order(rows, BEHAVIOR_ORDER, query.sort_by), numbers, result)
    return BehaviorPage(
        total_count=sum(numbers.values()),
        malicious_count=numbers.get(BehavioralDetection.Classification.MALICIOUS, 0),
        suspicious_count=numbers.get(BehavioralDetection.Classification.SUSPICIOUS, 0),
        **common,
    )


def _page(
    request: ApiRequest, query: Any, rows: QuerySet[Any], numbers: dict[str, int], result: Callable[[Any], Any]
) -> dict[str, Any]:
    following, preceding = page_links(request, query, sum(numbers.values()))
    return {
        "next": following,
        "previous": preceding,
        "results": [result(row) for row in page(rows, query.offset, query.limit)],
    }
