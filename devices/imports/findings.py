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

type Row = tuple[object, object]  # the place in its source, and the document


@dataclass(slots=True)
class FindingsReport:
    """What an import did: numbers of rows that are new or changed by kind, and the reasons of those left out."""

    rows: int = 0
    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    remediated: int = 0
    problems: Problems = field(default_factory=Problems)
    kept_because_of_problems: bool = False  # nothing was marked as remediated, because rows could not be used


def import_findings(
    *,
    tenant: Tenant,
    rows: Iterable[Row],
    actor: Actor,
    full: bool = False,
    progress: Callable[[int], None] | None = None,
) -> FindingsReport:
    """Create or update threats, vulnerabilities and detections from rows of the API's lists, in any mixture and order.

    Importing the same again changes nothing. With `full` the rows have every detection that there is: the others are
    marked as remediated, unless a row could not be used, because it may be one of them. Every batch of rows is
    committed with its own audit event; `progress` is called with the number of rows that are.
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
