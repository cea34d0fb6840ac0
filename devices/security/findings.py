"""Findings: threats, vulnerabilities and their detections. Only `store_findings` stores them.

It takes the facts of any source, in any order. Repeated facts change nothing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import batched
from uuid import UUID, uuid5

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.models import BehavioralDetection, Fleet, Threat
from devices.security.detections import Detections, packages_of, store_vulnerabilities
from devices.security.facts import (
    BehaviorFound,
    DetectionFound,
    Facts,
    Finding,
    ThreatFound,
    VulnerabilityFound,
    assign,
)

NAMESPACE = UUID("6f1d7b6e-2f0a-4f0e-9a53-0f7c1d5a8e21")  # for ids of threats whose source has no ids
DEVICES_AT_ONCE = 500  # devices whose absent detections are marked in one transaction


@dataclass(slots=True)
class Stored:
    """The result of a batch: the numbers of new and changed rows by the kind of finding, the primary keys of all
    detections in the batch, and the positions of findings on devices that the tenant does not have."""

    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    seen: set[int] = field(default_factory=set)
    unknown: list[int] = field(default_factory=list)

    def count(self, kind: str, *, created: int, updated: int) -> None:
        self.created += Counter({kind: created})
        self.updated += Counter({kind: updated})


@transaction.atomic
def store_findings(*, tenant: Tenant, findings: list[Finding], actor: Actor, import_id: str = "") -> Stored:
    """Create or update the findings, update the counts of their vulnerabilities, and log one event for all of them.

    A remediated detection that is found again becomes active again. If the tenant does not have the device, a threat is
    stored without it, and a detection is left out.
    """
    _lock(tenant)
    stored = Stored()
    uuids = {uuid for finding in findings if (uuid := _device_of(finding))}
    devices = dict(tenant.devices.filter(uuid__in=uuids).values_list("uuid", "pk"))
    found: list[tuple[DetectionFound, int]] = []
    for position, finding in enumerate(findings):
        if isinstance(finding, DetectionFound):
            if pk := devices.get(finding.device_uuid):
                found.append((finding, pk))
            else:
                stored.unknown.append(position)
    described = [finding for finding in findings if isinstance(finding, VulnerabilityFound)]
    _store_detections(tenant, described, found, stored)
    _store_threats(tenant, [f for f in findings if isinstance(f, ThreatFound)], devices, stored)
    _store_behavior(tenant, [f for f in findings if isinstance(f, BehaviorFound)], devices, stored)
    if stored.created or stored.updated:
        log_event(
            target=Target.whole(tenant),
            actor=actor,
            action=AuditEvent.Action.CREATE if stored.created else AuditEvent.Action.UPDATE,
            summary="Findings stored",
            metadata={"import_id": import_id, "created": dict(stored.created), "updated": dict(stored.updated)},
        )
    return stored


def remediate_absent(*, tenant: Tenant, seen: set[int], actor: Actor, import_id: str = "") -> int:
    """Mark the active detections whose primary keys are not in `seen` as remediated. Returns their number.

    `seen` has the results of `store_findings` for all findings of a complete source. Each transaction marks the
    detections of DEVICES_AT_ONCE devices.
    """
    active = tenant.vulnerability_detections.filter(remediated_at=None)
    total = 0
    for devices in batched(tenant.devices.order_by("pk").values_list("pk", flat=True), DEVICES_AT_ONCE, strict=False):
        gone = set(active.filter(device__in=devices).values_list("pk", flat=True)) - seen
        if gone:
            total += _remediate(tenant=tenant, devices=devices, gone=gone, actor=actor, import_id=import_id)
    return total


@transaction.atomic
def _remediate(*, tenant: Tenant, devices: Iterable[int], gone: set[int], actor: Actor, import_id: str) -> int:
    _lock(tenant)
    batch = Detections(tenant, devices)
    batch.remediate(gone)
    batch.save()
    log_event(
        target=Target.whole(tenant),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Findings remediated",
        metadata={"import_id": import_id, "detections": len(batch.changed)},
    )
    return len(batch.changed)


def _lock(tenant: Tenant) -> None:
    """Lock the tenant's findings against other writers and the deletion of devices, so that counts are exact."""
    Fleet.objects.get_or_create(tenant=tenant)
    Fleet.objects.select_for_update().get(tenant=tenant)


def _device_of(finding: Finding) -> UUID | None:
    match finding:
        case DetectionFound():
            return finding.device_uuid
        case ThreatFound() | BehaviorFound():
            uuid: UUID = finding.facts["device_uuid"]
            return uuid
    return None


def _store_detections(
    tenant: Tenant, described: list[VulnerabilityFound], found: list[tuple[DetectionFound, int]], stored: Stored
) -> None:
    # A row about the vulnerability itself comes last, and overrides the rows about its detections.
    rows, counts = store_vulnerabilities(tenant, [*(each.vulnerability for each, _ in found), *described])
    stored.count("vulnerabilities", **counts)
    if not found:
        return
    packages = packages_of(tenant, {each.package for each, _ in found})
    batch = Detections(tenant, {device for _, device in found})
    for each, device in found:
        batch.add(each, device, rows[each.vulnerability.cve_id], packages[each.package])
    batch.save()
    stored.count("detections", created=len(batch.new), updated=len(batch.changed))
    stored.seen.update(row.pk for row in batch.named)


def _store_threats(tenant: Tenant, found: list[ThreatFound], devices: dict[UUID, int], stored: Stored) -> None:
    if not found:
        return
    wanted = {each.key: {**each.facts, "device_id": devices.get(each.facts["device_uuid"])} for each in found}
    rows = {row.key: row for row in tenant.threats.filter(key__in=wanted)}
    new = [
        Threat(tenant=tenant, key=key, **{"identifier": str(uuid5(NAMESPACE, key)), **facts})
        for key, facts in wanted.items()
        if key not in rows
    ]
    changed = [row for key, row in rows.items() if assign(row, wanted[key])]
    Threat.objects.bulk_create(new)
    Threat.objects.bulk_update(changed, _written(wanted.values()), batch_size=200)
    stored.count("threats", created=len(new), updated=len(changed))


def _store_behavior(tenant: Tenant, found: list[BehaviorFound], devices: dict[UUID, int], stored: Stored) -> None:
    if not found:
        return
    wanted = {each.uuid: {**each.facts, "device_id": devices.get(each.facts["device_uuid"])} for each in found}
    rows = {row.uuid: row for row in tenant.behavioral_detections.filter(uuid__in=wanted)}
    new = [BehavioralDetection(tenant=tenant, uuid=uuid, **facts) for uuid, facts in wanted.items() if uuid not in rows]
    changed = [row for uuid, row in rows.items() if assign(row, wanted[uuid])]
    BehavioralDetection.objects.bulk_create(new)
    BehavioralDetection.objects.bulk_update(changed, _written(wanted.values()), batch_size=200)
    stored.count("behavioral detections", created=len(new), updated=len(changed))


def _written(rows: Iterable[Facts]) -> list[str]:
    """The columns that at least one of the rows has."""
    return sorted({name for facts in rows for name in facts})
