"""Read threats: the filters, the orders and the counts of their lists."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from access.models import Tenant
from devices.models import BehavioralDetection, Threat, ThreatSeverity
from devices.models.lines import lines

FEW = 1000  # rows that a query lists by key
THREAT_ORDER = {
    "threat_name": "name",
    "classification": "classification",
    "device_name": "device__name",
    "process_name": "process_name",
    "process_owner": "process_owner",
    "detection_date": "detected_at",
    "status": "status",
    "management_state": "management_state",
    "associated_item": "library_item_name",
    "severity": "severity",
}
BEHAVIOR_ORDER = {
    "threat_id": "threat_id",
    "classification": "classification",
    "device_name": "device__name",
    "parent_process_name": "parent_name",
    "target_process_name": "target_name",
    "process": "target_name",
    "detection_date": "detected_at",
    "status": "status",
    "management_state": "management_state",
    "associated_item": "library_item_name",
    "severity": "severity",
}
_THREAT_TERM = ("file_hash", "file_path")
_BEHAVIOR_TERM = (
    "parent_sha256",
    "target_sha256",
    "parent_image_path",
    "target_image_path",
)


def threats(tenant: Tenant, **filters: Any) -> QuerySet[Threat]:
    """The tenant's threats that match all of the filters, which are the keywords of `_conditions`."""
    return tenant.threats.filter(*_conditions(tenant, _THREAT_TERM, **filters))


def behavioral_detections(
    tenant: Tenant,
    *,
    threat_id: str | None = None,
    malware_family: str | None = None,
    parent_process_name: str | None = None,
    target_process_name: str | None = None,
    informational_tags: Iterable[str] | None = None,
    **filters: Any,
) -> QuerySet[BehavioralDetection]:
    """The tenant's behavioral detections that match all of the filters. Other keywords are those of `_conditions`."""
    own: list[Q] = []
    if threat_id:
        own.append(Q(threat_id=threat_id))
    if malware_family:
        own.append(Q(malware_family__icontains=lines([malware_family])))
    if parent_process_name:
        own.append(Q(parent_name__icontains=parent_process_name))
    if target_process_name:
        own.append(Q(target_name__icontains=target_process_name))
    if informational_tags is not None:
        own.append(_any(Q(informational_tags__icontains=lines([tag])) for tag in informational_tags))
    return tenant.behavioral_detections.filter(*own, *_conditions(tenant, _BEHAVIOR_TERM, **filters))


def in_order[M: Threat | BehavioralDetection](
    rows: QuerySet[M], columns: dict[str, str], sort_by: str = "-detection_date"
) -> QuerySet[M]:
    """The rows, sorted by a name of THREAT_ORDER or BEHAVIOR_ORDER, descending with `-`, and then newest first."""
    sign = "-" if sort_by.startswith("-") else ""
    column = columns[sort_by.removeprefix("-")]
    if column == "detected_at":
        return rows.order_by(f"{sign}detected_at", f"{sign}id")
    return rows.order_by(f"{sign}{column}", "-detected_at", "-id")


def counted[M: Threat | BehavioralDetection](rows: QuerySet[M]) -> tuple[QuerySet[M], dict[str, int]]:
    """The same rows, and their number for each classification. The query for few rows lists their keys: a search reads
    all threats of a tenant, and is so run only once."""
    keys = list(rows.order_by().values_list("pk", "classification")[: FEW + 1])
    if len(keys) <= FEW:
        few = _all(rows).filter(pk__in=[pk for pk, _ in keys])
        return few, Counter(classification for _, classification in keys)
    grouped = rows.order_by().values("classification").annotate(rows=Count("*"))
    return rows, dict(grouped.values_list("classification", "rows"))


def page[M: Threat | BehavioralDetection](rows: QuerySet[M], offset: int, limit: int) -> list[M]:
    """A page of the sorted rows, with their devices. Only the keys are sorted, because devices are large."""
    keys = list(rows.values_list("pk", flat=True)[offset : offset + limit])
    found = {row.pk: row for row in _with_related(_all(rows).filter(pk__in=keys))}
    return [found[key] for key in keys if key in found]


def _all[M: Threat | BehavioralDetection](rows: QuerySet[M]) -> QuerySet[M]:
    """All rows of the table, for a query by keys: with the tenant too, SQLite would read all of the tenant's rows."""
    everything: Any = rows.model._default_manager
    return everything.all()  # type: ignore[no-any-return]


def _with_related[M: Threat | BehavioralDetection](rows: QuerySet[M]) -> QuerySet[M]:
    return rows.select_related("device__blueprint").defer("device__record_json")


def _conditions(
    tenant: Tenant,
    searched: Iterable[str],
    *,
    device_id: UUID | None = None,
    classifications: Iterable[str] | None = None,
    statuses: Iterable[str] | None = None,
    term: str | None = None,
    detected_from: datetime | None = None,
    detected_to: datetime | None = None,
    days: int | None = None,
    management_states: Iterable[str] | None = None,
    severities: Iterable[str] | None = None,
    tags: Iterable[str] | None = None,
) -> list[Q]:
    """The conditions of the filters. None means no filter. `days` counts back from now, and is ignored with a date."""
    conditions: list[Q] = []
    if device_id is not None:
        conditions.append(Q(device_uuid=device_id))
    for column, words in (
        ("classification", classifications),
        ("status", statuses),
        ("management_state", management_states),
    ):
        if words is not None:
            conditions.append(Q(**{f"{column}__in": list(words)}))
    if severities is not None:
        known = {member.name.lower(): member for member in ThreatSeverity}
        conditions.append(Q(severity__in=[known[word] for word in severities if word in known]))
    if tags is not None:
        conditions.append(_any(Q(tags__icontains=lines([tag])) for tag in tags))
    if term:
        # Device names are searched only once, not again for each threat.
        named = tenant.devices.filter(name__icontains=term).values("pk")
        conditions.append(_any([*(Q(**{f"{column}__icontains": term}) for column in searched), Q(device__in=named)]))
    if detected_from:
        conditions.append(Q(detected_at__gte=detected_from))
    if detected_to:
        conditions.append(Q(detected_at__lte=detected_to))
    if days is not None and not (detected_from or detected_to):
        conditions.append(Q(detected_at__gte=timezone.now() - timedelta(days=days)))
    return conditions


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions, Q(pk__in=()))
