"""That filters of the list of detections find them by an index, oldest first, on both databases."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Tenant
from devices.models import Severity, VulnerabilityDetection
from devices.security import vulnerabilities
from tests import plans
from tests.devices.macs import store_macs
from tests.factories.devices import BlueprintFactory, VulnerabilityFactory, VulnerableSoftwareFactory
from tests.types import Call, IssueToken

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 1000
WHOLE_TENANT = re.compile(r"(Cond:|INDEX \w+) \(tenant_id ?= ?\S+\)$", re.MULTILINE)


@pytest.fixture
def detections(tenant: Tenant, analyze: Callable[[], None]) -> None:
    """One on each of a thousand devices, a minute after the other: a third is remediated, twenty share a CVE."""
    store_macs(tenant, COUNT, BlueprintFactory.create(tenant=tenant))
    package = VulnerableSoftwareFactory.create(tenant=tenant)
    cves = [
        VulnerabilityFactory.create(
            tenant=tenant, first_detected_at=FIRST + timedelta(minutes=n), published_at=FIRST + timedelta(minutes=n)
        )
        for n in range(0, COUNT, 20)
    ]
    moments = [FIRST + timedelta(minutes=n) for n in range(COUNT)]
    VulnerabilityDetection.objects.bulk_create(
        VulnerabilityDetection(
            tenant=tenant,
            device_id=device,
            vulnerability=cves[n // 20],
            software=package,
            severity=Severity.HIGH,
            first_detected_at=moments[n],
            last_detected_at=moments[n],
            remediated_at=None if n % 3 else moments[n],
        )
        for n, device in enumerate(tenant.devices.order_by("pk").values_list("pk", flat=True))
    )
    analyze()


def plans_of(api: Call, issue_token: IssueToken, query: str) -> list[str]:
    """The plans of the statements that read detections for a call."""
    token = issue_token("list_vulnerability_detections")
    with CaptureQueriesContext(connection) as queries:
        answer = api("GET", f"/api/v1/vulnerability-management/detections?size=50&{query}", token)
    assert answer.status_code == 200, answer.content
    found = [each["sql"] for each in queries if "FROM devices_vulnerabilitydetection" in each["sql"].replace('"', "")]
    plans.prefer_indexes("bitmapscan", "hashjoin", "mergejoin")
    return ["\n".join(plans.steps(statement)) for statement in found]


def test_active_and_remediated_ones_are_walked_one_after_the_other(
    detections: None, api: Call, issue_token: IssueToken
) -> None:
    first, whole = plans_of(api, issue_token, "status=active,remediated")
    for index in ("detection_list", "detection_remediated"):
        assert index in first
    assert not re.search(r"TEMP B-TREE|Sort", first), first
    assert not WHOLE_TENANT.search(whole), whole


def test_those_that_were_seen_lately_are_found_by_that(detections: None, api: Call, issue_token: IssueToken) -> None:
    late = (FIRST + timedelta(minutes=COUNT - 10)).isoformat()
    filter = quote(json.dumps({"latest_detection_date": {"gte": late}}))
    seen, page = plans_of(api, issue_token, f"filter={filter}")
    assert "detection_seen" in seen
    assert re.search(r"tenant_id ?= ?\S+ AND \(?last_detected_at ?>", seen), seen
    assert not WHOLE_TENANT.search(page), page


def test_a_walk_for_new_vulnerabilities_begins_with_the_first_of_them(
    detections: None, api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vulnerabilities, "FEW", 0)
    late = (FIRST + timedelta(minutes=COUNT // 2)).isoformat()
    filter = quote(json.dumps({"cve_published_at": {"gte": late}}))
    (page,) = plans_of(api, issue_token, f"filter={filter}")
    assert "detection_list" in page
    assert re.search(r"tenant_id ?= ?\S+ AND \(?first_detected_at ?>", page), page
    assert not re.search(r"TEMP B-TREE|Sort", page), page
