"""Copying from a tenant that is made up of demo documents: interruptions, refusals, and what is there already."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from access.people.tenants import create_tenant
from devices.demo.fleet import demo_fleet
from devices.demo.inventory import demo_lists
from devices.enrollment.routing import update_routing
from devices.imports.devices import import_devices
from devices.imports.tenant import client as tenant_import_client
from devices.imports.tenant.client import SourceTenant, TenantImportError
from devices.imports.tenant.copy import GROUP, TenantImportReport, import_tenant
from devices.imports.tenant.state import Progress
from devices.models import BlueprintRouting
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.tables import ROWS
from tests.devices.security.finding_rows import behavior_row, detection_row, threat_row, vulnerability_row
from tests.factories.devices import BlueprintFactory, TagFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

ACTOR = Actor.command("test")
URL = "https://source.api.iru.test/api/v1"
USER: dict[str, Any] = {
    "active": True,
    "archived": False,
    "created_at": "2024-05-13T20:09:23.123456Z",
    "department": "Engineering",
    "deprecated_user_id": "17",
    "email": "ann@accuhive.test",
    "id": "22222222-2222-4222-8222-222222222222",
    "integration": {
        "id": 7,
        "name": "Okta",
        "uuid": "33333333-3333-4333-8333-333333333333",
        "type": "scim",
    },
    "job_title": None,
    "name": "Ann Fisher",
    "device_count": 1,
    "updated_at": "2025-05-13T20:09:23.123456Z",
}


class Source:
    """A tenant that answers from `answers`; `refuse` says for a path what comes instead."""

    def __init__(self, devices: int = 0) -> None:
        self.pairs = list(demo_fleet(devices))
        self.answers: dict[str, Any] = {
            "blueprints": page(),
            "users": page(),
            "tags": page(),
            "blueprint-routing/": {"enrollment_code": {"code": "", "is_active": False}},
            "blueprint-routing/activity": page(),
            "devices": [record for record, _ in self.pairs],
            **{f"prism/{name}": {"data": [], "cursor": None} for name in CATEGORIES},
        }
        for record, details in self.pairs:
            path = f"devices/{record['device_id']}"
            self.answers[f"{path}/details"] = details
            self.answers[f"{path}/notes"] = []
            for document, part in zip(demo_lists(record), ("apps", "library-items", "parameters"), strict=False):
                self.answers[f"{path}/{part}"] = document
        self.refuse: Callable[[str], httpx.Response | None] = lambda path: None
        self.asked: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/")
        self.asked.append(path)
        if refusal := self.refuse(path):
            return refusal
        if path not in self.answers:
            return httpx.Response(404, json={"message": "no Route matched with those values"})
        answer = self.answers[path]
        return httpx.Response(200, json=answer(request) if callable(answer) else answer)

    def copy(self, tenant: Tenant, state: Path | None = None, also: tuple[str, ...] = ()) -> TenantImportReport:
        client = SourceTenant(
            api_url=URL, token="token", transport=httpx.MockTransport(self.answer), sleep=lambda seconds: None
        )
        with Progress(state, source=URL, target=tenant.subdomain, also=also) as progress:
            return import_tenant(tenant=tenant, source=client, actor=ACTOR, progress=progress, also=also, workers=2)


def page(*rows: Any) -> dict[str, Any]:
    return {"count": len(rows), "next": None, "previous": None, "results": list(rows)}


def blueprint(**fields: Any) -> dict[str, Any]:
    return {
        "id": "44444444-4444-4444-8444-444444444444",
        "name": "Design",
        "icon": "ss-fax",
        "color": "orange-500",
        "description": "",
        "params": {"x": {"mute": True, "daily": False}},
        "computers_count": 1,
        "enrollment_code": {"code": "123456", "is_active": True},
        "type": "map",
        **fields,
    }


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(name="Target", subdomain="target", actor=ACTOR)


def test_an_interrupted_copy_resumes(tenant: Tenant, tmp_path: Path) -> None:
    source, state = Source(devices=GROUP + 20), tmp_path / "state"
    late = {record["device_id"] for record, _ in source.pairs[GROUP + 5 :]}
    source.refuse = lambda path: (
        httpx.Response(401, json={}) if path.split("/")[1:2] and path.split("/")[1] in late else None
    )
    with pytest.raises(TenantImportError, match="refused the token"):
        source.copy(tenant, state)
    assert tenant.devices.count() == GROUP + 20  # the records came first
    assert tenant.devices.filter(inventory__isnull=False).count() == GROUP

    state.write_text(state.read_text() + '{"device": "cut o')  # as when the machine stopped
    source.refuse = lambda path: None
    source.asked.clear()
    report = source.copy(tenant, state)
    assert report.resumed == GROUP
    assert sum(path.endswith("/details") for path in source.asked) == 20
    assert not {"users", "tags"} & set(source.asked)
    assert tenant.devices.filter(inventory__isnull=False).count() == GROUP + 20


def test_a_resumed_copy_requests_denied_parts_again(tenant: Tenant, tmp_path: Path) -> None:
    source, state = Source(devices=GROUP + 20), tmp_path / "state"
    late = {record["device_id"] for record, _ in source.pairs[GROUP + 5 :]}

    def refuse(path: str) -> httpx.Response | None:
        if path.endswith("/secrets/filevaultkey"):
            return httpx.Response(403, json={"detail": "no"})
        return httpx.Response(401, json={}) if path.split("/")[1:2] and path.split("/")[1] in late else None

    for record, _ in source.pairs:
        for kind in ("bypasscode", "unlockpin", "recoverypassword"):
            source.answers[f"devices/{record['device_id']}/secrets/{kind}"] = {"pin": None}
        source.answers[f"devices/{record['device_id']}/secrets/filevaultkey"] = {"key": "SECRET"}
    source.refuse = refuse
    with pytest.raises(TenantImportError, match="refused the token"):
        source.copy(tenant, state, ("secrets", "secrets"))
    assert "SECRET" not in state.read_text()

    source.refuse = lambda path: None
    source.asked.clear()
    report = source.copy(tenant, state, ("secrets",))
    assert report.denied.keys() & {"secrets/filevaultkey"} == set()
    assert sum(path.endswith("/details") for path in source.asked) == 20
    assert sum(path.endswith("/secrets/filevaultkey") for path in source.asked) == GROUP + 20
    assert tenant.device_secrets.filter(kind="filevault_key").count() == GROUP + 20


def test_a_state_file_of_another_copy_is_refused(tenant: Tenant, tmp_path: Path) -> None:
    state = tmp_path / "state"
    Source().copy(tenant, state)
    other = create_tenant(name="Other", subdomain="other", actor=ACTOR)
    with pytest.raises(TenantImportError, match="belongs to another copy"):
        Source().copy(other, state)
    state.write_text("what is this\n")
    with pytest.raises(TenantImportError, match="is damaged"):
        Source().copy(tenant, state)


def test_denied_parts_are_named_and_the_rest_is_copied(tenant: Tenant) -> None:
    source = Source(devices=5)
    source.refuse = lambda path: httpx.Response(403, json={}) if path == "users" or path.endswith("apps") else None
    report = source.copy(tenant)
    assert report.denied["users"] == report.denied["apps"] == "the token lacks the permission (403)"
    assert (
        sum(path.startswith("devices/") and path.endswith("/apps") for path in source.asked) < 5
    )  # not asked for ever
    assert tenant.devices.filter(inventory__details__has_key="general").count() == 5


def test_without_devices_the_rest_is_copied(tenant: Tenant) -> None:
    source = Source()
    source.answers["tags"] = page({"id": USER["id"], "name": "VIP"})
    source.refuse = lambda path: httpx.Response(403, json={}) if path == "devices" else None
    assert "devices" in source.copy(tenant).denied
    assert tenant.tags.get().name == "VIP"


def test_a_device_that_left_meanwhile(tenant: Tenant) -> None:
    source = Source(devices=5)
    gone = source.pairs[2][0]["device_id"]
    not_found = httpx.Response(404, json={"detail": "Not found."})
    source.refuse = lambda path: not_found if gone in path else None
    report = source.copy(tenant)
    assert list(report.problems.lines()) == [f"device {gone}: not there any more"]
    assert not {"details", "apps"} & report.denied.keys()
    assert tenant.devices.filter(inventory__isnull=False).count() == 4


def test_users_and_blueprints_come_whole(tenant: Tenant) -> None:
    source = Source(devices=3)
    source.answers["users"] = page(USER)
    source.answers["blueprints"] = page(blueprint(), blueprint())
    source.copy(tenant)
    user = tenant.users.select_related("integration").get(uuid=USER["id"])
    assert (user.name, user.email, user.department, user.job_title) == (
        "Ann Fisher",
        USER["email"],
        "Engineering",
        None,
    )
    assert (user.deprecated_user_id, user.integration.name, user.integration.number) == ("17", "Okta", 7)
    assert (user.created_at.year, user.updated_at.year) == (2024, 2025)
    design = tenant.blueprints.get(name="Design")
    assert (design.icon, design.color, design.type, design.enrollment_code) == ("ss-fax", "orange-500", "map", "123456")
    assert design.params == {"x": {"mute": True, "daily": False}}
    before = AuditEvent.objects.count()
    source.copy(tenant)
    assert AuditEvent.objects.count() == before


def test_new_names_reach_every_record(tenant: Tenant) -> None:
    source = Source(devices=20)
    import_devices(tenant=tenant, rows=enumerate(source.answers["devices"]), actor=ACTOR)
    record = next(record for record, _ in source.pairs if record["user"])
    source.answers["users"] = page({**USER, "id": record["user"]["id"], "name": "Renamed"})
    source.answers["blueprints"] = page(blueprint(id=record["blueprint_id"], name="Renamed too"))
    source.refuse = lambda path: httpx.Response(403, json={}) if path == "devices" else None
    source.copy(tenant)
    text = tenant.devices.get(uuid=record["device_id"]).record_json
    assert '"name":"Renamed"' in text
    assert '"blueprint_name":"Renamed too"' in text


def test_existing_blueprints_keep_their_code_and_devices_their_tags(tenant: Tenant) -> None:
    BlueprintFactory.create(tenant=tenant, name="Here", enrollment_code="123456")
    tag = TagFactory.create(tenant=tenant, name="VIP")
    source = Source()
    source.answers["blueprints"] = page(blueprint())
    source.answers["tags"] = page({"id": USER["id"], "name": "VIP"})
    report = source.copy(tenant)
    assert tenant.blueprints.get(name="Design").enrollment_code == ""
    assert list(report.problems.lines()) == ["blueprint Design: another one has the enrollment code 123456 here"]
    assert tenant.tags.get().uuid == tag.uuid


def test_invalid_objects_are_reported(tenant: Tenant) -> None:
    source = Source()
    source.answers["users"] = page(1, {"name": "No id"}, {**USER, "name": "", "email": ""}, {**USER, "id": URL})
    source.answers["blueprints"] = page(blueprint(type="tree"), blueprint(id=USER["id"], name="a\0b"))
    source.answers["tags"] = page({"id": USER["id"], "name": "x" * 256})
    report = source.copy(tenant)
    assert report.problems.count == 7
    assert not tenant.users.exists()
    assert not tenant.blueprints.exists()
    assert not tenant.tags.exists()


def routing(code: str = "654321", *, active: bool = True) -> dict[str, Any]:
    return {"enrollment_code": {"code": code, "is_active": active}}


def routed(number: int, **fields: Any) -> dict[str, Any]:
    """A row of `GET /blueprint-routing/activity`."""
    return {
        "id": number,
        "activity_time": f"2026-10-01T10:00:{number:02}.000000Z",
        "activity_type": "routing_departure",
        "user": None,
        "device_id": "55555555-5555-4555-8555-555555555555",
        "details": {"is_fallback": False},
        **fields,
    }


def test_blueprint_routing_is_copied_with_its_activity(tenant: Tenant) -> None:
    source = Source()
    person = {"id": USER["id"], "email": USER["email"]}
    changed = routed(1, activity_type="enrollment_settings_changed", user=person, device_id=None)
    source.answers["blueprint-routing/"] = routing()
    source.answers["blueprint-routing/activity"] = page(routed(2), changed)
    report = source.copy(tenant)
    assert (report.written["Blueprint Routing"].created, report.denied.get("Blueprint Routing")) == (1, None)
    assert (tenant.blueprint_routing.enrollment_code, tenant.blueprint_routing.enrollment_code_active) == (
        "654321",
        True,
    )
    rows = tenant.routing_activity.order_by("pk").values_list("activity_type", "user_id", "user_email", "device_uuid")
    assert [row[:3] for row in rows] == [
        ("enrollment_settings_changed", USER["id"], USER["email"]),
        ("routing_departure", "", ""),
    ]
    events = AuditEvent.objects.count()
    source.copy(tenant)
    assert (AuditEvent.objects.count(), tenant.routing_activity.count()) == (events, 2)

    source.answers["blueprint-routing/"] = routing("111111", active=False)
    source.answers["blueprint-routing/activity"] = page(routed(3), routed(2), changed)
    assert source.copy(tenant).written["Blueprint Routing"].updated == 1
    tenant.blueprint_routing.refresh_from_db()
    assert (tenant.blueprint_routing.enrollment_code, tenant.blueprint_routing.enrollment_code_active) == (
        "111111",
        False,
    )
    assert tenant.routing_activity.count() == 3


def test_a_routing_code_that_a_blueprint_has_here_is_not_copied(tenant: Tenant) -> None:
    BlueprintFactory.create(tenant=tenant, enrollment_code="654321")
    source = Source()
    source.answers["blueprint-routing/"] = routing()
    source.answers["blueprint-routing/activity"] = page(routed(1, activity_time="soon"))
    assert list(source.copy(tenant).problems.lines()) == [
        "Blueprint Routing: a Blueprint has the enrollment code 654321 here",
        "Blueprint Routing activity: activity_time is not a date: 'soon'",
    ]
    assert not BlueprintRouting.objects.filter(tenant=tenant).exists()


def test_an_empty_routing_leaves_the_one_that_is_here(tenant: Tenant) -> None:
    update_routing(tenant=tenant, actor=ACTOR, enrollment_code="222222", enrollment_code_active=True)
    source = Source()
    source.answers["blueprint-routing/"] = routing("", active=False)
    source.copy(tenant)
    assert BlueprintRouting.objects.get(tenant=tenant).enrollment_code == "222222"


def test_a_tenant_without_routing_is_named(tenant: Tenant) -> None:
    source = Source()
    not_found = httpx.Response(404, json={"detail": "Not found."})
    source.refuse = lambda path: not_found if path.startswith("blueprint-routing/") else None
    denied = source.copy(tenant).denied
    assert denied["Blueprint Routing"] == denied["Blueprint Routing activity"]


def test_devices_are_saved_in_small_groups_and_cost_no_more_calls(tenant: Tenant) -> None:
    source = Source(devices=3 * GROUP + 1)
    source.copy(tenant)
    events = tenant.audit_events.filter(summary="Devices imported")
    saved = [count for event in events if (count := (event.metadata or {}).get("inventories"))]
    assert sorted(saved) == [1, GROUP, GROUP, GROUP]
    parts = sum(4 + (record["platform"] == "Mac") for record, _ in source.pairs)
    assert sum(path.count("/") == 2 and path.startswith("devices/") for path in source.asked) == parts


def test_other_tenants_are_left_alone(tenant: Tenant) -> None:
    other = create_tenant(name="Other", subdomain="other", actor=ACTOR)
    source = Source(devices=10)
    source.answers["blueprints"] = page(blueprint())
    source.answers["users"] = page(USER)
    source.copy(tenant)
    assert not any(rows.exists() for rows in (other.devices, other.users, other.blueprints, other.library_items))


def test_the_pace_stays_below_the_limit_of_the_public_api() -> None:
    assert tenant_import_client.RATE < 50


def test_the_rows_of_prism_are_copied_by_walking_with_the_cursor(tenant: Tenant) -> None:
    source = Source(devices=3)
    uuids = [record["device_id"] for record, _ in source.pairs]
    moment = "2024-04-11T20:53:34.899771+00:00"
    rows = [
        {
            "device_id": uuid,
            "created_at": moment,
            "updated_at": moment,
            "last_collected_at": "2025-04-11T20:53:34.899771+00:00",
            "common_name": name,
            "identity_certificate": name == "b",
        }
        for name in ("a", "b")
        for uuid in (*uuids, "22222222-2222-4222-8222-222222222222")  # the last device is not in the copy
    ]
    pages = {"": (rows[:3], "1"), "1": (rows[3:6], "2"), "2": (rows[6:], None)}

    def page_of(request: httpx.Request) -> Any:
        data, cursor = pages[request.url.params["cursor"]]
        return {"offset": None, "limit": 300, "total": None, "data": data, "cursor": cursor}

    source.answers["prism/certificates"] = page_of
    source.refuse = lambda path: httpx.Response(403, json={"detail": "No."}) if path == "prism/apps" else None
    for _ in range(2):
        report = source.copy(tenant)
        assert report.denied.keys() & {f"prism/{name}" for name in CATEGORIES} == {"prism/apps"}
        table = ROWS["certificates"].objects.filter(tenant=tenant)
        assert table.count() == 6
        assert {row.created_at.isoformat() for row in table} == {moment}
        collected = tenant.prism_reports.filter(category="certificates").values_list("collected_at", flat=True)
        assert {each.year for each in collected} == {2025}


def test_findings_come_after_the_devices_that_they_are_about(tenant: Tenant) -> None:
    source = Source(devices=2)
    source.copy(tenant)
    device = tenant.devices.order_by("pk")[0]
    source.answers |= {
        "vulnerability-management/vulnerabilities": {"page": 1, "total": 1, "results": [vulnerability_row()]},
        "vulnerability-management/detections": {"next": None, "previous": None, "results": [detection_row(device)]},
        "/api/v2/threat/threat-details": page(threat_row(device, severity="critical")),
        "behavioral-detections": page(behavior_row(device, "98765000-0000-4000-8000-00000000000a")),
    }
    report = source.copy(tenant)
    names = ("threats", "behavioral detections", "vulnerabilities", "vulnerability detections")
    assert not set(names) & report.denied.keys()
    assert [report.written[name].created for name in names] == [1, 1, 1, 1]
    assert tenant.vulnerabilities.get().device_count == 1
    assert "threat-details" not in source.asked[-6:]  # the second version has more data
    assert [source.copy(tenant).written[name].created for name in names] == [0, 0, 0, 0]
