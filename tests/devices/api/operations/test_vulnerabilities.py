"""Vulnerabilities: page sizes, filters, paging of detections, and the devices and software of one vulnerability."""

import json
from itertools import islice
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.findings import import_findings
from devices.models import Device, VulnerabilityDetection
from devices.security import vulnerabilities
from tests.devices.security.finding_rows import detection_row, vulnerability_row
from tests.factories.devices import BlueprintFactory, DeviceFactory, UserFactory, VulnerabilityFactory
from tests.types import Call, IssuedApiToken, IssueToken

ROOT = "/api/v1/vulnerability-management"
LIST, DETECTIONS = f"{ROOT}/vulnerabilities", f"{ROOT}/detections"
ACTOR = Actor.command("test")


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        "list_vulnerability_detections",
        "list_vulnerabilities",
        "get_vulnerability",
        "list_vulnerability_devices",
        "list_vulnerability_software",
        "list_vulnerability_applications_legacy",
    )


@pytest.fixture
def devices(tenant: Tenant) -> tuple[Device, Device]:
    ann = DeviceFactory.create(
        tenant=tenant,
        name="Ann",
        serial_number="C02ANN",
        user=UserFactory.create(tenant=tenant, name="Ann Fisher"),
        blueprint=BlueprintFactory.create(tenant=tenant, name="Design"),
    )
    return ann, DeviceFactory.create(tenant=tenant, name="Bo", blueprint__name="Engineering")


def store(tenant: Tenant, *rows: dict[str, Any], full: bool = False) -> None:
    report = import_findings(tenant=tenant, rows=enumerate(rows), actor=ACTOR, full=full)
    assert not report.problems.count, list(report.problems)


@pytest.fixture
def found(tenant: Tenant, devices: tuple[Device, Device]) -> None:
    ann, bo = devices
    store(
        tenant,
        detection_row(ann),
        detection_row(ann, version="143.0", path="/Users/ann/Firefox.app", detection_datetime="2026-10-30 10:00:00"),
        detection_row(bo, detection_datetime="2026-11-02 10:00:00"),
        detection_row(
            bo,
            "CVE-2026-2",
            name="Perl",
            version="5",
            path="/usr/bin/perl",
            bundle_id=None,
            severity="Critical",
            cvss_score=9.8,
            detection_datetime="2026-11-03 10:00:00",
        ),
        vulnerability_row(software=[]),
        vulnerability_row(
            "CVE-2026-3", severity="Medium", cvss_score=5.5, kev_score=0, status="Remediated", software=["perl"]
        ),
    )


def get(api: Call, token: IssuedApiToken, path: str, filter: object = None, query: str = "") -> Any:
    text = f"&filter={quote(json.dumps(filter))}" if filter is not None else ""
    response = api("GET", f"{path}?{query}{text}", token)
    assert response.status_code == 200, response.content
    return response.json()


def test_a_row_of_the_list(api: Call, token: IssuedApiToken, found: None) -> None:
    page = get(api, token, LIST)
    assert list(page) == ["page", "size", "total", "results"]
    assert (page["page"], page["size"], page["total"]) == (1, 50, 3)
    assert page["results"][0] == {
        "cve_id": "CVE-2026-1",
        "severity": "High",
        "cvss_score": 7.5,
        "kev_score": 1,
        "cve_link": "https://nvd.nist.gov/vuln/detail/CVE-2026-1",
        "first_detection_date": "2026-10-20T10:00:00.000000Z",
        "latest_detection_date": "2026-11-03T10:00:00.000000Z",
        "device_count": 2,
        "software": ["Firefox"],
        "status": "Active",
    }
    remediated = page["results"][2]
    assert (remediated["status"], remediated["device_count"], remediated["software"]) == ("Remediated", 0, ["perl"])


def test_jellyfish_gets_a_page_of_the_size_that_it_asked_for(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    VulnerabilityFactory.create_batch(120, tenant=tenant)
    page = get(api, token, LIST, query="page=1&size=300")
    assert (page["size"], len(page["results"]), page["total"]) == (300, 120, 120)
    assert get(api, token, LIST, query="page=3")["results"] == page["results"][100:]
    assert get(api, token, LIST, query="page=4")["results"] == []
    assert get(api, token, LIST, query="page=0&size=9999")["size"] == 300


@pytest.mark.parametrize(
    ("filter", "numbers"),
    [
        ({"cve_id": {"in": ["CVE-2026-1"]}}, "1"),
        ({"cve_id": {"not_like": ["cve-2026-1"]}}, "23"),
        ({"severity": {"in": ["Critical", "High"]}}, "12"),
        ({"severity": {"like": ["crit"]}}, "2"),
        ({"severity": {"not_in": ["Critical"]}}, "13"),
        ({"severity": {"in": ["nothing"]}}, ""),
        ({"severity": {"is_null": False}}, "123"),
        ({"status": {"in": ["Active"]}}, "12"),
        ({"status": {"not_in": ["Active"]}}, "3"),
        ({"software": {"in": ["perl"]}}, "3"),
        ({"software": {"in": ["Firefox"]}}, "1"),
        ({"software": {"like": ["ERL"]}}, "23"),
        ({"software": {"not_in": ["perl"]}}, "12"),
        ({"first_detection_date": {"gte": "2026-11-03T00:00:00Z"}}, "2"),
    ],
)
def test_the_filter_of_the_list(api: Call, token: IssuedApiToken, found: None, filter: object, numbers: str) -> None:
    page = get(api, token, LIST, filter)
    assert "".join(row["cve_id"][-1] for row in page["results"]) == numbers
    assert page["total"] == len(numbers)


@pytest.mark.parametrize(
    ("sort_by", "numbers"),
    [
        ("cve_id", "123"),
        ("-cve_id", "321"),
        ("cvss_score", "312"),
        ("-severity", "213"),
        ("device_count", "321"),
        ("-known_exploit", "123"),
        ("status", "123"),
        ("-status", "312"),
        ("age", "213"),
        ("-age", "132"),
    ],
)
def test_the_order_of_the_list(api: Call, token: IssuedApiToken, found: None, sort_by: str, numbers: str) -> None:
    rows = get(api, token, LIST, query=f"sort_by={sort_by}")["results"]
    assert "".join(row["cve_id"][-1] for row in rows) == numbers


def test_the_description(api: Call, token: IssuedApiToken, found: None) -> None:
    assert get(api, token, f"{LIST}/CVE-2026-1", query="page=7&sort_by=nonsense") == {
        "cve_id": "CVE-2026-1",
        "severity": "High",
        "cvss_score": 7.5,
        "kev_score": 1,
        "epss_score": 0.0,
        "cve_link": "https://nvd.nist.gov/vuln/detail/CVE-2026-1",
        "description": "A crafted page is executed.",
        "first_detection_date": "2026-10-20 10:00:00.000000",
        "software_count": 1,
        "latest_detection_date": "2026-11-03 10:00:00.000000",
        "device_count": 2,
        "cve_published_at": "2026-10-01 00:00:00.000000",
        "cve_modified_at": "2026-10-02 00:00:00.000000",
    }


@pytest.mark.parametrize("tail", ["", "/devices", "/software", "/applications"])
@pytest.mark.parametrize("id", ["CVE-2026-9", "cve-2026-1", "a%00b", "%F0%9F%98%80", "x" * 500])
def test_an_unknown_vulnerability_is_a_404(api: Call, token: IssuedApiToken, found: None, id: str, tail: str) -> None:
    response = api("GET", f"{LIST}/{id}{tail}", token)
    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})


def test_a_detection_has_the_keys_of_the_live_service_and_of_the_documentation(
    api: Call, token: IssuedApiToken, found: None, devices: tuple[Device, Device]
) -> None:
    ann = devices[0]
    page = get(api, token, DETECTIONS)
    assert list(page) == ["next", "previous", "results"]
    assert page["results"][1] == {
        "device_id": str(ann.uuid),
        "device_name": "Ann",
        "device_serial_number": "C02ANN",
        "device_model": ann.model,
        "device_os_version": "15.1",
        "blueprint_id": str(ann.blueprint.uuid),
        "blueprint_name": "Design",
        "name": "Firefox",
        "version": "144.0",
        "path": "/Applications/Firefox.app",
        "bundle_id": "org.mozilla.firefox",
        "cve_id": "CVE-2026-1",
        "cve_description": "A crafted page is executed.",
        "description": "A crafted page is executed.",
        "cve_link": "https://nvd.nist.gov/vuln/detail/CVE-2026-1",
        "cvss_score": 7.5,
        "cvss_severity": "High",
        "severity": "High",
        "first_detection_date": "2026-11-01 10:00:00.000001",
        "latest_detection_date": "2026-11-03 10:00:00.000000",
        "detection_datetime": "2026-11-01 10:00:00.000001",
        "cve_published_at": "2026-10-01 00:00:00.000000",
        "cve_modified_at": "2026-10-02 00:00:00.000000",
    }
    assert page["results"][3]["bundle_id"] is None


def numbers(page: Any) -> str:
    """The device and the vulnerability of each row on a page of detections."""
    return " ".join(f"{row['device_name'][0]}{row['cve_id'][-1]}" for row in page["results"])


def test_next_is_a_token_for_after(api: Call, token: IssuedApiToken, tenant: Tenant, found: None) -> None:
    first = get(api, token, DETECTIONS, query="limit=3")
    assert numbers(first) == "A1 A1 B1"
    assert first["previous"] is None
    assert not first["next"].startswith("http")
    # Paging continues at its position while new detections are added. A cursor of another kind changes nothing.
    store(tenant, detection_row(tenant.devices.get(name="Ann"), "CVE-2026-4", detection_datetime="2026-10-01 10:00:00"))
    second = get(api, token, DETECTIONS, query=f"limit=3&cursor=x&after={quote(first['next'])}")
    assert (numbers(second), second["next"]) == ("B2", None)
    assert numbers(get(api, token, DETECTIONS, query=f"size=3&after={quote(second['previous'])}")) == "A1 A1 B1"
    whole = get(api, token, DETECTIONS, query="page=7&size=300")
    assert numbers(whole) == "A4 A1 A1 B1 B2"


def test_a_full_last_page_ends_the_walk(api: Call, token: IssuedApiToken, found: None) -> None:
    first = get(api, token, DETECTIONS, query="size=2")
    second = get(api, token, DETECTIONS, query=f"size=2&after={quote(first['next'])}")
    assert (len(second["results"]), second["next"]) == (2, None)


@pytest.mark.parametrize("after", ["x", "aHR0cDovLw==", "cD0xfDI=", "%00"])
def test_a_token_of_another_is_a_400(api: Call, token: IssuedApiToken, found: None, after: str) -> None:
    response = api("GET", f"{DETECTIONS}?after={after}", token)
    assert (response.status_code, list(response.json())) == (400, ["after"])


@pytest.mark.parametrize(
    ("filter", "rows"),
    [
        ({"device_name": {"in": ["Bo"]}}, "B1 B2"),
        ({"device_name": {"like": ["O"]}, "cve_id": {"in": ["CVE-2026-2"]}}, "B2"),
        ({"device_serial_number": {"like": ["c02ann"]}}, "A1 A1"),
        ({"device_model": {"like": ["macbook"]}}, "A1 A1 B1 B2"),
        ({"device_os_version": {"not_like": ["15"]}}, ""),
        ({"blueprint_name": {"in": ["Engineering"]}}, "B1 B2"),
        ({"blueprint_id": {"in": ["98765000-0000-4000-8000-000000000004"]}}, ""),
        ({"name": {"like": ["fire"]}, "version": {"in": ["143.0"]}}, "A1"),
        ({"path": {"like": ["/Users/"]}}, "A1"),
        ({"bundle_id": {"is_null": True}}, "B2"),
        ({"bundle_id": {"not_in": ["org.mozilla.firefox"]}}, "B2"),
        ({"cve_id": {"not_in": ["CVE-2026-1"]}}, "B2"),
        ({"cve_description": {"like": ["crafted"]}}, "A1 A1 B1 B2"),
        ({"cve_link": {"like": ["CVE-2026-2"]}}, "B2"),
        ({"cvss_score": {"gte": 9}}, "B2"),
        ({"cvss_severity": {"in": ["High"]}}, "A1 A1 B1"),
        ({"detection_datetime": {"gte": "2026-11-02T09:59:59.999999Z"}}, "B1 B2"),
        ({"detection_datetime": {"or": {"lt": "2026-11-01T00:00:00Z", "gt": "2026-11-03T00:00:00Z"}}}, "A1 B2"),
        ({"cve_published_at": {"lt": "2026-01-01"}}, ""),
        ({"cve_modified_at": {"is_null": False}}, "A1 A1 B1 B2"),
    ],
)
def test_the_filter_of_detections(api: Call, token: IssuedApiToken, found: None, filter: object, rows: str) -> None:
    assert numbers(get(api, token, DETECTIONS, filter)) == rows


def test_a_filter_that_finds_many_devices_and_packages(
    api: Call, token: IssuedApiToken, found: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vulnerabilities, "FEW", 0)
    assert numbers(get(api, token, DETECTIONS, {"device_model": {"like": ["macbook"]}})) == "A1 A1 B1 B2"
    assert numbers(get(api, token, DETECTIONS, {"device_name": {"in": ["Bo"]}, "name": {"like": ["fire"]}})) == "B1"
    assert numbers(get(api, token, DETECTIONS, {"cvss_score": {"gte": 9}})) == "B2"
    assert numbers(get(api, token, DETECTIONS, {"cvss_score": {"gte": 7}})) == "A1 A1 B1 B2"
    assert numbers(get(api, token, DETECTIONS, {"cvss_score": {"gte": 10}})) == ""


def test_detections_are_filtered_by_device_severity_and_status(
    api: Call, token: IssuedApiToken, tenant: Tenant, found: None, devices: tuple[Device, Device]
) -> None:
    """The public API ignores these three filters."""
    assert numbers(get(api, token, DETECTIONS, query=f"device_id={devices[0].uuid}")) == "A1 A1"
    assert numbers(get(api, token, DETECTIONS, query="device_id=98765000-0000-4000-8000-000000000004")) == ""
    assert numbers(get(api, token, DETECTIONS, query="severity=critical")) == "B2"
    assert numbers(get(api, token, DETECTIONS, query="severity=Critical,%20high")) == "A1 A1 B1 B2"
    assert numbers(get(api, token, DETECTIONS, query="status=remediated")) == ""
    store(tenant, detection_row(devices[0]), full=True)
    assert numbers(get(api, token, DETECTIONS)) == "A1"
    assert numbers(get(api, token, DETECTIONS, query="status=Remediated")) == "A1 B1 B2"
    assert numbers(get(api, token, DETECTIONS, query="status=Active,Remediated")) == "A1 A1 B1 B2"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_active_and_remediated_detections_are_one_list(
    api: Call, token: IssuedApiToken, tenant: Tenant, found: None, devices: tuple[Device, Device], size: int
) -> None:
    store(tenant, detection_row(devices[0]), full=True)  # one of the four is active: neither the first nor the last
    pages = [get(api, token, DETECTIONS, query=f"status=active,remediated&size={size}")]
    while after := pages[-1]["next"]:
        pages.append(get(api, token, DETECTIONS, query=f"status=active,remediated&size={size}&after={quote(after)}"))
    assert " ".join(map(numbers, pages)) == "A1 A1 B1 B2"
    last = pages.pop()
    while after := last["previous"]:
        last = get(api, token, DETECTIONS, query=f"status=active,remediated&size={size}&after={quote(after)}")
        assert last["results"] == pages.pop()["results"]
    assert pages == []


def test_a_detection_that_becomes_active_again_meanwhile_is_not_missed(
    api: Call, token: IssuedApiToken, tenant: Tenant, found: None, devices: tuple[Device, Device]
) -> None:
    """Between two statements it would be in neither part of the list."""
    store(tenant, detection_row(devices[0]), full=True)
    remediated = VulnerabilityDetection.objects.exclude(remediated_at=None)
    reads: list[str] = []

    def activate(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("SELECT") and "devices_vulnerabilitydetection" in sql:
            reads.append(sql)
            if len(reads) == 2:
                assert remediated.update(remediated_at=None) == 3
        return execute(sql, *arguments)

    with connection.execute_wrapper(activate):
        page = get(api, token, DETECTIONS, query="status=active,remediated")
    assert numbers(page) == "A1 A1 B1 B2"


@pytest.mark.parametrize("few", [0, vulnerabilities.SORTED])
def test_the_filter_by_the_last_detection(
    api: Call,
    token: IssuedApiToken,
    tenant: Tenant,
    found: None,
    devices: tuple[Device, Device],
    monkeypatch: pytest.MonkeyPatch,
    few: int,
) -> None:
    monkeypatch.setattr(vulnerabilities, "SORTED", few)
    store(tenant, detection_row(devices[1], latest_detection_date="2026-11-05 10:00:00"))
    assert numbers(get(api, token, DETECTIONS, {"latest_detection_date": {"gte": "2026-11-05"}})) == "B1"
    assert numbers(get(api, token, DETECTIONS, {"latest_detection_date": {"lt": "2026-11-05"}})) == "A1 A1 B2"
    bounds = {"latest_detection_date": {"gt": "2026-11-03"}, "name": {"in": ["Firefox"]}}
    assert numbers(get(api, token, DETECTIONS, bounds)) == "A1 A1 B1"
    assert numbers(get(api, token, DETECTIONS, {"latest_detection_date": {"gte": "2026-11-06"}})) == ""


@pytest.mark.parametrize(
    ("path", "filter", "said"),
    [
        (DETECTIONS, "device_serial_number", "not JSON"),
        (DETECTIONS, '{"app_name": {"like": ["Safari"]}}', "app_name"),
        (LIST, '{"severity": {"gt": 5}}', "gt"),
        (f"{LIST}/CVE-2026-1/devices", '{"cve_id": {"in": ["x"]}}', "cve_id"),
        (f"{LIST}/CVE-2026-1/software", '{"name": {"in": ["x"]}}', '"name"'),
    ],
)
def test_a_wrong_filter_is_a_400_that_names_its_part(
    api: Call, token: IssuedApiToken, found: None, path: str, filter: str, said: str
) -> None:
    response = api("GET", f"{path}?filter={quote(filter)}", token)
    assert (response.status_code, list(response.json())) == (400, ["detail"])
    assert said in response.json()["detail"]


def test_a_filter_may_be_longer_than_a_text(api: Call, token: IssuedApiToken, found: None) -> None:
    names = [f"CVE-2020-{number}" for number in range(300)]
    assert get(api, token, LIST, {"cve_id": {"in": [*names, "CVE-2026-1"]}})["total"] == 1


@pytest.mark.parametrize("many", [0, vulnerabilities.MANY])
def test_the_devices_of_a_vulnerability(
    api: Call,
    token: IssuedApiToken,
    found: None,
    devices: tuple[Device, Device],
    monkeypatch: pytest.MonkeyPatch,
    many: int,
) -> None:
    monkeypatch.setattr(vulnerabilities, "MANY", many)
    path = f"{LIST}/CVE-2026-1/devices"
    page = get(api, token, path)
    assert (page["total"], page["page"], page["size"]) == (2, 1, 50)
    ann = devices[0]
    assert page["results"][0] == {
        "device_id": str(ann.uuid),
        "name": "Ann",
        "serial_number": "C02ANN",
        "model": ann.model,
        "os_version": "15.1",
        "blueprint_id": str(ann.blueprint.uuid),
        "blueprint_name": "Design",
        "assigned_user": "Ann Fisher",
        "no_of_installs": 2,
        "software_summary": {
            "name": "Firefox",
            "detection_date": "2026-10-30 10:00:00.000000",
            "path": "/Users/ann/Firefox.app",
            "version": "143.0",
        },
    }
    for query, filter, names in (
        ("sort_by=-name", None, ["Bo", "Ann"]),
        ("sort_by=-detection_datetime", None, ["Bo", "Ann"]),
        ("page=2&size=1", None, ["Bo"]),
        ("page=9", None, []),
        ("size=300", {"name": {"like": ["an"]}}, ["Ann"]),
        ("", {"detection_datetime": {"gte": "2026-11-02"}}, ["Bo"]),
    ):
        page = get(api, token, path, filter, query)
        assert [row["name"] for row in page["results"]] == names
    assert get(api, token, path, query="size=300")["size"] == 50


def test_the_software_of_a_vulnerability(
    api: Call, token: IssuedApiToken, found: None, devices: tuple[Device, Device]
) -> None:
    page = get(api, token, f"{LIST}/CVE-2026-1/software")
    design, engineering = ({"id": str(device.blueprint.uuid), "name": device.blueprint.name} for device in devices)
    assert page == {
        "page": 1,
        "size": 50,
        "total": 1,
        "results": [
            {
                "name": "Firefox",
                "bundle_id": "org.mozilla.firefox",
                "num_versions": 2,
                "type": None,
                "blueprints": [design, engineering],
                "num_devices": 2,
                "software_versions": [
                    {
                        "latest_detection_date": "2026-11-03 10:00:00.000000",
                        "blueprints": [design],
                        "version": "143.0",
                        "devices_impacted": 1,
                    },
                    {
                        "latest_detection_date": "2026-11-03 10:00:00.000000",
                        "blueprints": [design, engineering],
                        "version": "144.0",
                        "devices_impacted": 2,
                    },
                ],
            }
        ],
    }
    assert get(api, token, f"{LIST}/CVE-2026-1/applications") == page
    narrowed = get(api, token, f"{LIST}/CVE-2026-1/software", {"blueprint_id": {"in": [engineering["id"]]}})
    assert narrowed["results"][0]["num_versions"] == 1
    assert get(api, token, f"{LIST}/CVE-2026-3/software")["results"] == []


def test_another_tenants_findings_stay_there(
    api: Call, token: IssuedApiToken, found: None, other_tenant: Tenant
) -> None:
    foreign = DeviceFactory.create(tenant=other_tenant)
    store(other_tenant, detection_row(foreign, "CVE-2026-7"), detection_row(foreign))
    assert get(api, token, LIST)["total"] == 3
    assert numbers(get(api, token, DETECTIONS)) == "A1 A1 B1 B2"
    assert get(api, token, DETECTIONS, query=f"device_id={foreign.uuid}")["results"] == []
    assert get(api, token, f"{LIST}/CVE-2026-1/devices")["total"] == 2
    assert next(islice(get(api, token, LIST, {"cve_id": {"in": ["CVE-2026-7"]}})["results"], 1), None) is None
