"""Import of threats and vulnerabilities, from files or from another tenant."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import batched

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.errors import RowError, UnknownDevice
from devices.imports.finding_models import finding_of
from devices.imports.problems import Problems
from devices.security.facts import Finding
from devices.security.findings import remediate_absent, store_findings

BATCH = 2000  # rows; each batch costs a dozen queries and one commit

type Row = tuple[object, object]  # the position in its source, and the document


@dataclass(slots=True)
class FindingsReport:
    """The result of an import: for each kind the numbers of new and changed rows, and the reasons for skipped rows."""

    rows: int = 0
    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    remediated: int = 0
    problems: Problems = field(default_factory=Problems)
    kept_because_of_problems: bool = False  # no detection was marked as remediated, because of unusable rows


def import_findings(
    *,
    tenant: Tenant,
    rows: Iterable[Row],
    actor: Actor,
    full: bool = False,
    progress: Callable[[int], None] | None = None,
) -> FindingsReport:
    """Create or update threats, vulnerabilities and detections from rows of the API's lists, in any mix and order.

    A repeated import changes nothing. With `full` the rows must have all existing detections: every other detection is
    marked as remediated, unless some row was unusable, because that row may be the missing detection. Every batch of
    rows is committed with its own audit event; `progress` is called with the number of committed rows.
    """
    report, import_id, seen = FindingsReport(), str(uuid.uuid4()), set[int]()
    for batch in batched(rows, BATCH, strict=False):
        sources, findings = _read(batch, report.problems)
        stored = store_findings(tenant=tenant, findings=findings, actor=actor, import_id=import_id)
        for position in stored.unknown:
            report.problems.add(sources[position], str(UnknownDevice()))
        report.rows += len(batch)
        report.created += stored.created
        report.updated += stored.updated
        seen |= stored.seen
        if progress:
            progress(report.rows)
    if full and report.problems.count:
        report.kept_because_of_problems = True
    elif full:
        report.remediated = remediate_absent(tenant=tenant, seen=seen, actor=actor, import_id=import_id)
    return report


def _read(batch: Iterable[Row], problems: Problems) -> tuple[list[object], list[Finding]]:
    sources: list[object] = []
    findings: list[Finding] = []
    for source, document in batch:
        try:
            findings.append(finding_of(document))
        except RowError as error:
            problems.add(source, str(error))
            continue
        sources.append(source)
    return sources, findings
