"""Threats in both versions: rows, filters, and counters of the filtered rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.models import BehavioralDetection, Device, Threat, ThreatSeverity
from tests.factories.devices import BehavioralDetectionFactory, DeviceFactory, ThreatFactory
from tests.types import Call, IssuedApiToken, IssueToken

FIRST = "/api/v1/threat-details"
SECOND = "/api/v2/threat/threat-details"
FIRST_EVENTS = "/api/v1/behavioral-detections"
SECOND_EVENTS = "/api/v2/threat/behavioral-detections/events"
MOMENT = datetime(2026, 1, 21, 16, 8, 0, 500_000, UTC)
PUP, MALWARE = Threat.Classification.PUP, Threat.Classification.MALWARE


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        "list_threat_details_v1",
        "list_threat_details_v2",
        "list_behavioral_detections_v1",
        "list_behavioral_detections_v2",
    )


@pytest.fixture
def device(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant, name="Ann's MacBook", serial_number="C02ANN")


@pytest.fixture
def threats(device: Device) -> list[Threat]:
    """Threats that are named by letters, the newest first."""
    other = DeviceFactory.create(tenant=device.tenant, name="Bo's iMac")
    common = {"classification": MALWARE, "status": "QUARANTINED", "severity": ThreatSeverity.HIGH, "tags": ["adware"]}
    rows: list[dict[str, Any]] = [
        {"name": "a", "device": device, "detected_at": MOMENT, **common, "process_name": "z"},
        {
            "name": "b",
            "device": device,
            "detected_at": MOMENT - timedelta(days=1),
            **common,
            "status": "NOT_QUARANTINED",
            "tags": ["stealer", "adware_2"],
            "severity": ThreatSeverity.CRITICAL,
            "process_name": "y",
        },
        {
            "name": "c",
            "device": other,
            "detected_at": MOMENT - timedelta(days=2),
            **common,
            "classification": PUP,
            "status": "RELEASED",
            "file_path": "/Applications/MacKeeper.app",
            "file_hash": "ffff",
            "management_state": "closed",
            "tags": [],
            "process_name": "x",
        },
    ]
    return [ThreatFactory.create(**row) for row in rows]


def found(api: Call, token: IssuedApiToken, path: str, query: str = "") -> str:
    response = api("GET", f"{path}?{query}", token)
    assert response.status_code == 200, response.content
    return "".join(row["threat_name"] for row in response.json()["results"])


def test_the_rows(api: Call, token: IssuedApiToken, threats: list[Threat], device: Device) -> None:
    page = api("GET", f"{FIRST}?limit=1", token).json()
    assert list(page) == ["count", "next", "previous", "malware_count", "pup_count", "results"]
    assert page["next"] == "http://accuhive.api.iru.test/api/v1/threat-details?limit=1&offset=1"
    (row,) = page["results"]
    assert row == {
        "threat_name": "a",
        "classification": "MALWARE",
        "status": "QUARANTINED",
        "process_name": "z",
        "process_owner": "",
        "device_name": "Ann's MacBook",
        "device_id": str(device.uuid),
        "detection_date": "2026-01-21T16:08:00.500000",
        "date_of_quarantine": "",
        "date_of_release": "",
        "released_by": "",
        "release_note": "",
        "file_path": "/Users/ann/Downloads/Player.dmg",
        "file_hash": "ab" * 32,
        "bundle_path": "",
        "device_serial_number": "C02ANN",
        "blueprint_id": str(device.blueprint.uuid),
        "blueprint_name": device.blueprint.name,
        "library_item_name": None,
        "library_item_id": None,
        "pup_posture": None,
        "malware_posture": None,
    }
    (second,) = api("GET", f"{SECOND}?limit=1", token).json()["results"]
    added = {"id": threats[0].identifier, "severity": "high", "tags": ["adware"], "management_state": "open"}
    assert second == {**row, **added}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "abc"),
        ("status=quarantined", "a"),  # the rows say QUARANTINED
        ("status=quarantined,%20not_quarantined", "ab"),
        ("classification=pup", "c"),
        ("term=ann%27s", "ab"),
        ("term=FFFF", "c"),
        ("term=mackeeper", "c"),
        ("term=%25", ""),
        ("device_id={device}", "ab"),
        ("device_id=98765000-0000-4000-8000-000000000000", ""),
        ("sort_by=process_name", "cba"),
        ("sort_by=-process_name", "abc"),
        ("sort_by=detection_date", "cba"),
        ("sort_by=device_name", "abc"),
        ("status=&term=&source=iructl", "abc"),
        ("limit=5000", "abc"),
        ("offset=1&limit=1", "b"),
        ("offset=99", ""),
    ],
)
def test_the_filters_of_the_first_version(
    api: Call, token: IssuedApiToken, threats: list[Threat], device: Device, query: str, names: str
) -> None:
    assert found(api, token, FIRST, query.format(device=device.uuid)) == names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "abc"),
        ("statuses=quarantined,released", "ac"),
        ("statuses=resolved", ""),
        ("classification=malware", "ab"),
        ("severities=critical,%20high", "abc"),
        ("severities=critical", "b"),
        ("severities=awful", ""),
        ("management_state=closed", "c"),
        ("management_state=open,closed", "abc"),
        ("tags=adware", "a"),  # adware_2 does not match
        ("tags=adware,stealer", "ab"),
        ("detection_date_from=2026-01-21T16:08:00.5", "a"),
        ("detection_date_from=2026-01-20T00:00:00&detection_date_to=2026-01-20T23:59:59.999999999", "b"),
        ("detection_date_to=2026-01-20", "c"),
        ("detection_date_to=2026-01-20&date_range=1", "c"),  # date_range is ignored when there are dates
        ("date_range=1", ""),
        ("sort_by=severity", "acb"),
        ("sort_by=-severity", "bac"),
        ("sort_by=management_state", "cab"),
        ("sort_by=associated_item", "abc"),
    ],
)
def test_the_filters_of_the_second_version(
    api: Call, token: IssuedApiToken, threats: list[Threat], query: str, names: str
) -> None:
    assert found(api, token, SECOND, query) == names


def test_the_last_days(api: Call, token: IssuedApiToken, device: Device) -> None:
    for name, days in (("a", 1), ("b", 8)):
        ThreatFactory.create(device=device, name=name, detected_at=timezone.now() - timedelta(days=days))
    assert found(api, token, FIRST, "date_range=7") == "a"
    assert found(api, token, SECOND, "date_range=9") == "ab"


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_the_counters_are_of_all_rows_that_match(
    api: Call, token: IssuedApiToken, threats: list[Threat], path: str
) -> None:
    page = api("GET", f"{path}?limit=1&offset=1", token).json()
    assert (page["count"], page["malware_count"], page["pup_count"]) == (3, 2, 1)
    page = api("GET", f"{path}?classification=malware&term=mackeeper", token).json()
    assert (page["count"], page["malware_count"], page["pup_count"]) == (0, 0, 0)


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_counters_and_order_are_the_same_for_many_rows(
    api: Call, token: IssuedApiToken, threats: list[Threat], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    few = api("GET", path, token).content
    monkeypatch.setattr("devices.security.threats.FEW", 2)
    assert api("GET", path, token).content == few


@pytest.mark.parametrize(("path", "term"), [(FIRST, "term"), (SECOND, "term"), (SECOND_EVENTS, "search_term")])
def test_a_search_reads_all_threats_once(
    api: Call, token: IssuedApiToken, device: Device, path: str, term: str
) -> None:
    """A search has no index, so a second scan for the counters would double the time."""
    threat = ThreatFactory.create(device=device, file_path="/tmp/needle")
    event = BehavioralDetectionFactory.create(device=device, parent_image_path="/tmp/needle")
    table = (event if path == SECOND_EVENTS else threat)._meta.db_table
    with CaptureQueriesContext(connection) as queries:
        page = api("GET", f"{path}?{term}=NEEDLE", token).json()
    assert len(page["results"]) == 1
    searches = [query["sql"] for query in queries if "LIKE" in query["sql"] and f'FROM "{table}"' in query["sql"]]
    assert len(searches) == 1
    assert "JOIN" not in searches[0]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (FIRST, "sort_by=severity", "sort_by"),
        (FIRST, "device_id=abc", "device_id"),
        (FIRST, "date_range=week", "date_range"),
        (FIRST, "date_range=99999999999", "date_range"),
        (SECOND, "detection_date_from=yesterday", "detection_date_from"),
        (FIRST_EVENTS, "sort_by=severity", "sort_by"),
        (SECOND_EVENTS, "sort_by=parent_process_name", "sort_by"),
        (SECOND_EVENTS, "detection_to=2026-13-01", "detection_to"),
    ],
)
def test_a_wrong_parameter_is_named(api: Call, token: IssuedApiToken, path: str, query: str, field: str) -> None:
    response = api("GET", f"{path}?{query}", token)
    assert (response.status_code, list(response.json())) == (400, [field])


def test_a_threat_whose_device_is_gone(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    device_id = "98765000-0000-4000-8000-000000000001"
    ThreatFactory.create(tenant=tenant, device=None, device_uuid=device_id)
    BehavioralDetectionFactory.create(tenant=tenant, device=None, device_uuid=device_id)
    (row,) = api("GET", f"{SECOND}?device_id={device_id}", token).json()["results"]
    keys = ("device_id", "device_name", "device_serial_number", "blueprint_id")
    assert [row[key] for key in keys] == [device_id, "", None, None]
    (row,) = api("GET", f"{SECOND_EVENTS}?device_id={device_id}", token).json()["results"]
    assert row["device_info"] == {"id": device_id, "name": "", "serial_number": ""}
    assert row["blueprint"] == {"id": None, "name": ""}


@pytest.fixture
def events(device: Device) -> list[BehavioralDetection]:
    """Events that are named by their threat id, the newest first."""
    return [
        BehavioralDetectionFactory.create(
            device=device,
            threat_id="A",
            detected_at=MOMENT,
            status="blocked",
            informational_tags=["exploit"],
            malware_family=["AtomicStealer"],
            parent_name="zsh",
            target_name="sqlite3",
            target_sha256="ff00",
            target_image_path="/usr/bin/sqlite3",
            tags=["triage"],
            severity=ThreatSeverity.HIGH,
        ),
        BehavioralDetectionFactory.create(
            tenant=device.tenant,
            device__tenant=device.tenant,
            device__name="Bo's iMac",
            threat_id="B",
            detected_at=MOMENT - timedelta(days=1),
            classification=BehavioralDetection.Classification.SUSPICIOUS,
            status="detected",
            informational_tags=["discovery", "privilege_escalation"],
            parent_name="bash",
            target_name="tee",
            management_state="closed",
            severity=ThreatSeverity.LOW,
        ),
    ]


@pytest.mark.parametrize(
    ("path", "query", "names"),
    [
        (FIRST_EVENTS, "", "AB"),
        (FIRST_EVENTS, "threat_id=B", "B"),
        (FIRST_EVENTS, "classification=malicious", "A"),
        (FIRST_EVENTS, "status=Blocked", "A"),
        (FIRST_EVENTS, "malware_family=AtomicStealer", "A"),
        (FIRST_EVENTS, "parent_process_name=bash", "B"),
        (FIRST_EVENTS, "target_process_name=sqlite", "A"),
        (FIRST_EVENTS, "informational_tags=exploit,privilege_escalation", "AB"),
        (FIRST_EVENTS, "informational_tags=privilege", ""),
        (FIRST_EVENTS, "term=ann", "A"),
        (FIRST_EVENTS, "term=ff00", "A"),
        (FIRST_EVENTS, "term=/usr/bin/sql", "A"),
        (FIRST_EVENTS, "device_id={device}", "A"),
        (FIRST_EVENTS, "detection_date_from=2026-01-21T00:00:00Z", "A"),
        (FIRST_EVENTS, "detection_date_to=2026-01-21", "B"),
        (FIRST_EVENTS, "date_range=3", ""),
        (FIRST_EVENTS, "sort_by=threat_id", "AB"),
        (FIRST_EVENTS, "sort_by=-target_process_name", "BA"),
        (SECOND_EVENTS, "classifications=mal", "A"),
        (SECOND_EVENTS, "classifications=mal,sus", "AB"),
        (SECOND_EVENTS, "classifications=pup", ""),
        (SECOND_EVENTS, "statuses=detected,informational", "B"),
        (SECOND_EVENTS, "search_term=imac", "B"),
        (SECOND_EVENTS, "detection_from=2026-01-21T16:08:00.0", "A"),
        (SECOND_EVENTS, "detection_to=2026-01-21T16:08:00.0", "B"),
        (SECOND_EVENTS, "management_state=closed", "B"),
        (SECOND_EVENTS, "severities=low", "B"),
        (SECOND_EVENTS, "tags=triage", "A"),
        (SECOND_EVENTS, "sort_by=severity", "BA"),
        (SECOND_EVENTS, "sort_by=process", "AB"),
        (SECOND_EVENTS, "device_id={device}", "A"),
    ],
)
def test_the_filters_of_behavioral_detections(
    api: Call,
    token: IssuedApiToken,
    events: list[BehavioralDetection],
    device: Device,
    path: str,
    query: str,
    names: str,
) -> None:
    page = api("GET", f"{path}?{query.format(device=device.uuid)}", token).json()
    assert list(page) == ["total_count", "next", "previous", "malicious_count", "suspicious_count", "results"]
    assert "".join(row["threat_id"] for row in page["results"]) == names
    assert page["total_count"] == len(names)
    assert (page["malicious_count"], page["suspicious_count"]) == (names.count("A"), names.count("B"))


def test_an_event_has_its_device_twice_and_its_status_twice(
    api: Call, token: IssuedApiToken, events: list[BehavioralDetection], device: Device
) -> None:
    row = api("GET", SECOND_EVENTS, token).json()["results"][0]
    assert row["device_info"] == {"id": str(device.uuid), "name": "Ann's MacBook", "serial_number": "C02ANN"}
    assert (row["device_id"], row["device_name"], row["serial_number"]) == tuple(row["device_info"].values())
    assert row["threat_status"] == row["status"] == "blocked"
    assert row["detection_date"] == "2026-01-21T16:08:00.500000+00:00"


@pytest.mark.parametrize("path", [FIRST, SECOND, FIRST_EVENTS, SECOND_EVENTS])
def test_a_page_costs_the_same_queries_however_long_it_is(
    api: Call, token: IssuedApiToken, device: Device, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for make in (ThreatFactory, BehavioralDetectionFactory):
        for other in (device, DeviceFactory.create(tenant=device.tenant)):
            make.create_batch(3, device=other)
    with django_assert_num_queries(4):  # the token, the counters, the keys of the page, its rows
        assert len(api("GET", path, token).json()["results"]) == 6
