"""An import of findings: idempotent, and its counts are always exact."""

from random import Random
from typing import Any

import pytest
from django.db.models import Count, Q

from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from devices.fleet.devices import delete_device
from devices.imports import findings
from devices.imports.findings import FindingsReport, import_findings
from devices.models import Device, Severity, Threat
from tests.devices.security.finding_rows import behavior_row, detection_row, threat_row, vulnerability_row
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("test")
EVENT = "98765000-0000-4000-8000-00000000000a"
EVENT_ROW = {"detection_date": "2026-11-01", "device_id": EVENT, "id": EVENT}


@pytest.fixture
def device(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant)


def run(tenant: Tenant, *rows: Any, full: bool = False) -> FindingsReport:
    return import_findings(tenant=tenant, rows=enumerate(rows, 1), actor=ACTOR, full=full)


def assert_counts_are_exact(tenant: Tenant) -> None:
    active = Count("detections__device", filter=Q(detections__remediated_at=None), distinct=True)
    kept = list(tenant.vulnerabilities.order_by("pk").values_list("cve_id", "device_count"))
    assert kept == list(tenant.vulnerabilities.annotate(n=active).order_by("pk").values_list("cve_id", "n"))


def everything(device: Device) -> list[dict[str, Any]]:
    return [
        detection_row(device),
        detection_row(device, name="Thunderbird", path="/Applications/Thunderbird.app", bundle_id=None),
        detection_row(device, "CVE-2026-2", severity="Critical"),
        vulnerability_row(),
        vulnerability_row("CVE-2026-3", status="Remediated", device_count=0, software=["perl"]),
        threat_row(device),
        behavior_row(device, EVENT),
    ]


def test_the_same_again_changes_nothing(tenant: Tenant, device: Device) -> None:
    first = run(tenant, *everything(device))
    assert first.created == {"vulnerabilities": 3, "detections": 3, "threats": 1, "behavioral detections": 1}
    events = AuditEvent.objects.filter(tenant=tenant).count()
    again = run(tenant, *reversed(everything(device)))
    assert (again.created, again.updated, again.problems.count) == ({}, {}, 0)
    assert AuditEvent.objects.filter(tenant=tenant).count() == events


def test_rows_of_every_kind_fill_one_vulnerability(tenant: Tenant, device: Device) -> None:
    run(tenant, detection_row(device), vulnerability_row())
    cve = tenant.vulnerabilities.get()
    assert (cve.severity, cve.known_exploited, cve.device_count, cve.description) == (
        Severity.HIGH,
        True,
        1,
        "A crafted page is executed.",
    )
    assert cve.software == ["Firefox", "Thunderbird"]
    assert (cve.first_detected_at.isoformat(), cve.last_detected_at.isoformat()) == (
        "2026-10-20T10:00:00+00:00",
        "2026-11-03T10:00:00+00:00",
    )


def test_the_keys_of_the_documentation_are_read_too(tenant: Tenant, device: Device) -> None:
    row = detection_row(device)
    for live, documented in (
        ("description", "cve_description"),
        ("severity", "cvss_severity"),
        ("detection_datetime", "first_detection_date"),
    ):
        row[documented] = row.pop(live)
    assert run(tenant, row).created == {"vulnerabilities": 1, "detections": 1}
    assert run(tenant, detection_row(device)).updated == {}


def test_two_versions_of_the_api_name_the_same_threat(tenant: Tenant, device: Device) -> None:
    run(tenant, threat_row(device))
    before = tenant.threats.get()
    run(tenant, threat_row(device, id="T-1", severity="critical", tags=["adware"], management_state="closed"))
    threat = tenant.threats.get()
    assert threat.pk == before.pk
    assert (threat.identifier, threat.tags, threat.management_state) == ("T-1", ["adware"], "closed")
    assert run(tenant, threat_row(device)).updated == {}  # the first version has none of these keys


def test_a_threat_outlives_its_device_and_a_detection_does_not(tenant: Tenant, device: Device) -> None:
    run(tenant, *everything(device))
    delete_device(tenant=tenant, device_id=device.uuid, actor=ACTOR)
    threat, event = tenant.threats.get(), tenant.behavioral_detections.get()
    assert (threat.device, threat.device_uuid, event.device_uuid) == (None, device.uuid, device.uuid)
    assert tenant.vulnerability_detections.count() == 0
    assert_counts_are_exact(tenant)


def test_a_detection_on_an_unknown_device_is_left_out(tenant: Tenant, device: Device, other_tenant: Tenant) -> None:
    foreign = DeviceFactory.create(tenant=other_tenant)
    report = run(tenant, detection_row(foreign), threat_row(foreign), detection_row(device, "CVE-2026-2"))
    assert list(report.problems) == [("1", "device_id is of no known device")]
    assert report.created == {"vulnerabilities": 1, "detections": 1, "threats": 1}
    assert tenant.threats.get().device is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["no object"], "not a JSON object"),
        ({"id": 5}, "neither a threat nor a vulnerability"),
        ({"cve_id": ""}, "cve_id is missing"),
        ({"cve_id": "CVE-1", "severity": "Awful"}, "unknown severity: 'Awful'"),
        ({"cve_id": "CVE-1", "cvss_score": "high"}, "cvss_score is not a number"),
        ({"cve_id": "CVE-1", "description": "a\0b"}, "description holds a NUL character"),
        ({"threat_name": "x", "device_id": "5", "detection_date": "2026-11-01"}, "device_id is not a UUID"),
        (
            {"detection_date": "2026-11-01", "device_id": EVENT, "threat_id": "x" * 65, "id": EVENT},
            "threat_id is longer than 64 characters",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tenant: Tenant, device: Device, row: Any, reason: str) -> None:
    report = run(tenant, row, threat_row(device))
    ((source, said),) = report.problems
    assert source == "1"
    assert reason in said
    assert report.created == {"threats": 1}


def test_only_a_full_import_remediates_and_what_comes_back_is_active_again(tenant: Tenant, device: Device) -> None:
    both = [detection_row(device), detection_row(device, "CVE-2026-2")]
    run(tenant, *both)
    run(tenant, both[0])
    assert tenant.vulnerability_detections.filter(remediated_at=None).count() == 2
    report = run(tenant, both[0], full=True)
    assert report.remediated == 1
    gone = tenant.vulnerabilities.get(cve_id="CVE-2026-2")
    assert (gone.status, gone.device_count, gone.software) == ("Remediated", 0, ["Firefox"])
    assert run(tenant, both[0], full=True).remediated == 0
    assert run(tenant, *both, full=True).updated == {"detections": 1}
    assert tenant.vulnerabilities.get(cve_id="CVE-2026-2").status == "Active"


def test_a_full_import_with_a_row_that_cannot_be_used_remediates_nothing(tenant: Tenant, device: Device) -> None:
    run(tenant, detection_row(device))
    report = run(tenant, {"cve_id": "CVE-2026-2", "device_id": "broken"}, full=True)
    assert (report.remediated, report.kept_because_of_problems) == (0, True)
    assert tenant.vulnerability_detections.filter(remediated_at=None).count() == 1


def test_a_new_severity_reaches_the_detections(tenant: Tenant, device: Device) -> None:
    run(tenant, detection_row(device))
    run(tenant, vulnerability_row(severity="Critical"))
    assert tenant.vulnerability_detections.get().severity == Severity.CRITICAL


def test_the_counts_are_exact_after_anything(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "BATCH", 7)
    random = Random(5)
    devices = DeviceFactory.create_batch(5, tenant=tenant)
    for step in range(12):
        rows = [
            detection_row(
                random.choice(devices),
                f"CVE-2026-{random.randint(1, 4)}",
                name=random.choice(("Firefox", "Chrome")),
                version=random.choice(("1", "2")),
            )
            for _ in range(random.randint(1, 20))
        ]
        run(tenant, *rows, full=step % 3 == 2)
        if step % 5 == 4:
            delete_device(tenant=tenant, device_id=devices.pop().uuid, actor=ACTOR)
        assert_counts_are_exact(tenant)


def test_one_event_says_what_a_batch_stored(tenant: Tenant, device: Device) -> None:
    run(tenant, *everything(device))
    event = AuditEvent.objects.get(tenant=tenant, summary="Findings stored")
    assert event.metadata is not None
    assert event.metadata["created"] == {
        "vulnerabilities": 3,
        "detections": 3,
        "threats": 1,
        "behavioral detections": 1,
    }
    assert Threat.objects.filter(tenant=tenant).count() == 1
