import plistlib
import re
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from cryptography.x509 import load_der_x509_certificate

from access.models import Tenant
from devices.blueprints.templates import CATEGORIES
from devices.enrollment import tickets
from devices.models import Blueprint
from devices.wire import cms
from tests.factories.devices import BlueprintFactory, DeviceFactory, PushCertificateFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response

URL = "/api/v1/blueprints"
TEMPLATE = CATEGORIES[1].templates[0]


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        *("list_blueprints", "get_blueprint", "create_blueprint", "update_blueprint", "delete_blueprint"),
        *("list_blueprint_templates", "get_manual_enrollment_profile", "list_devices", "update_device"),
    )


def form(api: Call, method: str, path: str, token: IssuedApiToken, fields: dict[str, Any]) -> Response:
    return api(method, path, token, data=urlencode(fields), content_type="application/x-www-form-urlencoded")


# --- Create -----------------------------------------------------------------------------------------------------------


def test_a_form_with_dotted_names_and_json_say_the_same(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    looks = {"color": "orange-500", "icon": "ss-fax", "description": "Loaners"}
    dotted = {"name": "Form", "enrollment_code.is_active": "True", "enrollment_code.code": "111111", **looks}
    nested = {"name": "JSON", "enrollment_code": {"is_active": True, "code": "222222"}, **looks}
    for answer, name, code in (
        (form(api, "POST", URL, token, dotted), "Form", "111111"),
        (api("POST", URL, token, json=nested), "JSON", "222222"),
    ):
        assert answer.status_code == 201
        blueprint = answer.json()
        assert blueprint == {
            "id": blueprint["id"],
            "name": name,
            "params": {},
            "computers_count": 0,
            "missing_computers_count": 0,
            "enrollment_code": {"code": code, "is_active": True},
            "type": "classic",
            **looks,
        }
        assert api("GET", f"{URL}/{blueprint['id']}", token).json() == blueprint


@pytest.mark.parametrize("charset", ["utf-8", '"utf8"', "iso-8859-1", "hex"])
def test_a_form_is_read_as_utf8_whatever_charset_is_named(
    charset: str, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    content_type = f"application/x-www-form-urlencoded; charset={charset}"
    fields = {"name": "Büro", "enrollment_code.is_active": "true"}
    created = api("POST", URL, token, data=urlencode(fields), content_type=content_type)
    assert (created.status_code, created.json()["name"]) == (201, "Büro")
    fields = {"description": "Für alle"}
    path = f"{URL}/{created.json()['id']}"
    changed = api("PATCH", path, token, data=urlencode(fields), content_type=content_type)
    assert (changed.status_code, changed.json()["description"]) == (200, "Für alle")


@pytest.mark.parametrize(
    ("text", "active"), [("true", True), ("True", True), ("false", False), ("False", False)], ids=str
)
def test_a_missing_code_becomes_six_random_digits(text: str, active: bool, api: Call, token: IssuedApiToken) -> None:
    fields = {"name": "New", "enrollment_code.is_active": text, "enrollment_code.code": ""}
    code = form(api, "POST", URL, token, fields).json()["enrollment_code"]
    assert re.fullmatch(r"\d{6}", code["code"])
    assert code["is_active"] is active


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, ["name", "enrollment_code"]),
        ({"name": "", "enrollment_code": {"is_active": True}}, ["name"]),
        ({"name": "x", "enrollment_code": {}}, ["enrollment_code"]),
        ({"name": "x", "enrollment_code": {"is_active": "perhaps"}}, ["enrollment_code"]),
        ({"name": "x", "enrollment_code": {"is_active": True, "code": "1" * 21}}, ["enrollment_code"]),
        ({"name": "x", "enrollment_code": {"is_active": True}, "type": "other"}, ["type"]),
        ({"name": "x", "enrollment_code": {"is_active": True}, "source": {"type": "template"}}, ["source"]),
        ({"name": "x", "enrollment_code": {"is_active": True}, "source": {"type": "x", "id": "1"}}, ["source"]),
    ],
)
def test_a_refusal_names_the_field(
    given: dict[str, Any], fields: list[str], api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    answer = api("POST", URL, token, json=given)
    assert (answer.status_code, list(answer.json())) == (400, fields)
    assert not tenant.blueprints.exists()


def test_names_and_codes_are_taken_once_in_each_tenant(
    api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    mine = BlueprintFactory.create(tenant=tenant, name="Design", enrollment_code="111111")
    BlueprintFactory.create(tenant=other_tenant, name="Sales", enrollment_code="333333")
    second = BlueprintFactory.create(tenant=tenant, name="Other", enrollment_code="222222")
    taken = {"name": ["A Blueprint with this name already exists."]}
    used = {"enrollment_code": ["This enrollment code is already in use."]}

    def create(name: str, code: str) -> Response:
        return api("POST", URL, token, json={"name": name, "enrollment_code": {"is_active": True, "code": code}})

    assert (create("Design", "").status_code, create("Design", "").json()) == (400, taken)
    assert (create("New", "111111").status_code, create("New", "111111").json()) == (400, used)
    assert create("Sales", "333333").status_code == 201
    path = f"{URL}/{second.uuid}"
    assert api("PATCH", path, token, json={"name": "Design"}).json() == taken
    assert api("PATCH", path, token, json={"enrollment_code": {"code": "111111"}}).json() == used
    second.refresh_from_db()
    assert (second.name, second.enrollment_code) == ("Other", "222222")
    again = api("PATCH", f"{URL}/{mine.uuid}", token, json={"name": "Design", "enrollment_code": {"code": "111111"}})
    assert again.status_code == 200


def test_a_template_gives_its_looks_and_the_body_wins(api: Call, token: IssuedApiToken) -> None:
    source = {"source.type": "template", "source.id": TEMPLATE.id, "enrollment_code.is_active": "false"}
    made = form(api, "POST", URL, token, {"name": "A", **source}).json()
    assert (made["icon"], made["color"], made["type"]) == (TEMPLATE.icon, TEMPLATE.color, "classic")
    made = form(api, "POST", URL, token, {"name": "B", "icon": "ss-fax", "type": "map", **source}).json()
    assert (made["icon"], made["color"], made["type"]) == ("ss-fax", TEMPLATE.color, "map")


def test_a_copy_is_of_its_sources_type(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    original = BlueprintFactory.create(
        tenant=tenant, type=Blueprint.Type.MAP, color="red-500", params={"p": {"mute": 1}}
    )
    body = {
        "name": "Copy",
        "enrollment_code": {"is_active": False},
        "source": {"type": "blueprint", "id": str(original.uuid)},
    }
    other = api("POST", URL, token, json={**body, "type": "classic"})
    assert (other.status_code, other.json()) == (400, ["Blueprint type does not match the source blueprint type"])
    copy = api("POST", URL, token, json=body).json()
    assert (copy["type"], copy["color"], copy["params"]) == ("map", "red-500", {"p": {"mute": 1}})
    assert copy["enrollment_code"]["code"] != original.enrollment_code


@pytest.mark.parametrize(
    ("type", "id"),
    [
        ("template", "9999"),
        ("template", "0" * 4000),
        ("template", "²"),
        ("blueprint", "1"),
        ("blueprint", "0c9b7c62-6d5c-4a0b-9f83-5b1d7c0e2a41"),
        ("blueprint", "{foreign}"),
    ],
)
def test_an_unknown_source_is_refused(
    type: str, id: str, api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    foreign = BlueprintFactory.create(tenant=other_tenant)
    source = {"type": type, "id": id.replace("{foreign}", str(foreign.uuid))}
    answer = api("POST", URL, token, json={"name": "x", "enrollment_code": {"is_active": True}, "source": source})
    assert (answer.status_code, list(answer.json())) == (400, ["source"])
    assert not tenant.blueprints.exists()


# --- Update -----------------------------------------------------------------------------------------------------------


def test_what_is_left_out_stays(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Design", description="Old", enrollment_code="111111")
    device = DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    path = f"{URL}/{blueprint.uuid}"
    before = api("GET", path, token).json()
    assert form(api, "PATCH", path, token, {}).json() == before

    changed = form(api, "PATCH", path, token, {"name": "Studio", "enrollment_code.is_active": "False"}).json()
    assert changed == {**before, "name": "Studio", "enrollment_code": {"code": "111111", "is_active": False}}
    assert changed["computers_count"] == 1
    (row,) = api("GET", "/api/v1/devices", token).json()
    assert (row["device_id"], row["blueprint_name"]) == (str(device.uuid), "Studio")

    changed = api("PATCH", path, token, json={"description": "", "color": "red-500", "icon": "ss-fax"}).json()
    assert (changed["description"], changed["color"], changed["icon"]) == ("", "red-500", "ss-fax")
    changed = api("PATCH", path, token, json={"enrollment_code": {"code": "999999"}}).json()
    assert changed["enrollment_code"] == {"code": "999999", "is_active": False}
    events = list(tenant.audit_events.about("blueprint", blueprint.uuid))
    assert [event.changes.keys() for event in reversed(events)] == [
        {"name", "enrollment_code_active"},
        {"description", "color", "icon"},
        {"enrollment_code"},
    ]
    assert api("PATCH", path, token, json={"name": ""}).json() == {"name": ["This field may not be blank."]}


def test_an_assignment_map_keeps_its_color_and_icon(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP)
    body = {"color": "red-500", "icon": "ss-fax", "description": "New"}
    changed = api("PATCH", f"{URL}/{blueprint.uuid}", token, json=body).json()
    assert (changed["color"], changed["icon"], changed["description"]) == (blueprint.color, blueprint.icon, "New")


# --- Delete -----------------------------------------------------------------------------------------------------------


def test_a_deleted_blueprint_is_gone_and_its_devices_are_unmanaged(
    api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Design")
    device = DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    DeviceFactory.create(tenant=tenant, name="Elsewhere")
    path = f"{URL}/{blueprint.uuid}"
    answer = api("DELETE", path, token)
    assert (answer.status_code, answer.content) == (204, b"")

    for method in ("GET", "PATCH", "DELETE"):
        gone = api(method, path, token, json={"name": "Back"} if method == "PATCH" else None)
        assert (gone.status_code, gone.json()) == (404, {"detail": "Not found."})
    assert api("GET", f"{URL}?id={blueprint.uuid}", token).json()["results"] == []
    moved = api("PATCH", f"/api/v1/devices/{device.uuid}", token, json={"blueprint_id": str(blueprint.uuid)})
    assert (moved.status_code, list(moved.json())) == (400, ["blueprint_id"])

    rows = {row["device_name"]: row for row in api("GET", "/api/v1/devices", token).json()}
    mine, elsewhere = rows[device.name], rows["Elsewhere"]
    assert (mine["is_removed"], mine["mdm_enabled"]) == (True, False)
    assert (mine["blueprint_id"], mine["blueprint_name"]) == (str(blueprint.uuid), "Design")
    assert (elsewhere["is_removed"], elsewhere["mdm_enabled"]) == (False, True)

    body = {"name": "Design", "enrollment_code": {"is_active": True, "code": blueprint.enrollment_code}}
    assert api("POST", URL, token, json=body).status_code == 201  # its name and code are free again


# --- Templates and profile --------------------------------------------------------------------------------------------


def test_the_path_templates_is_not_taken_for_a_blueprint_id(api: Call, token: IssuedApiToken) -> None:
    for path in (f"{URL}/templates/", f"{URL}/templates"):
        every = api("GET", path, token).json()
        assert (every["count"], every["next"], every["previous"]) == (len(CATEGORIES), None, None)
        assert [category["name"] for category in every["results"]] == [category.name for category in CATEGORIES]
    first = every["results"][0]
    assert list(first) == ["id", "name", "weight", "templates"]
    assert first["templates"][0] == {
        "id": 1,
        "name": "Blank",
        "description": CATEGORIES[0].templates[0].description,
        "category": first["id"],
        "icon": "ss-layers",
        "color": "blue-500",
        "params": {},
        "rating": 5,
    }
    second = api("GET", f"{URL}/templates/?limit=1&offset=1", token).json()
    assert [category["id"] for category in second["results"]] == [CATEGORIES[1].id]
    assert second["next"] == "http://accuhive.api.iru.test/api/v1/blueprints/templates/?limit=1&offset=2"
    assert api("GET", f"{URL}/templates/?offset=99", token).json()["results"] == []


def test_ids_of_templates_and_categories_are_used_once() -> None:
    templates = [template for category in CATEGORIES for template in category.templates]
    assert len({template.id for template in templates}) == len(templates)
    assert all(template.category == category.id for category in CATEGORIES for template in category.templates)
    assert [category.weight for category in CATEGORIES] == sorted({category.weight for category in CATEGORIES})


def profile_in(content: bytes) -> dict[str, Any]:
    signature = cms.parse_attached(content)
    signature.verify(signature.content or b"", load_der_x509_certificate(signature.certificate).public_key())
    profile: dict[str, Any] = plistlib.loads(signature.content or b"")
    return profile


@pytest.mark.parametrize("query", ["", "?sso=false", "?sso=true"])
def test_the_enrollment_profile(query: str, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    push = PushCertificateFactory.create(tenant=tenant)
    blueprint = BlueprintFactory.create(tenant=tenant, name="R&D <1>")
    path = f"{URL}/{blueprint.uuid}/ota-enrollment-profile{query}"
    answer = api("GET", path, token)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-apple-aspen-config"
    assert answer["Content-Disposition"] == "attachment;filename=kandji-enroll.mobileconfig"

    profile = profile_in(answer.content)
    assert profile["PayloadType"] == "Configuration"
    payloads = {payload["PayloadType"]: payload for payload in profile["PayloadContent"]}
    identity, management = payloads["com.apple.security.scep"], payloads["com.apple.mdm"]
    assert management["IdentityCertificateUUID"] == identity["PayloadUUID"]
    assert management["CheckInURL"] == "http://accuhive.mdm.iru.test/check-in"
    assert management["ServerURL"] == "http://accuhive.mdm.iru.test/connect"
    assert identity["PayloadContent"]["URL"] == "http://accuhive.mdm.iru.test/scep"
    assert management["Topic"] == push.topic
    every = [profile, *payloads.values()]
    assert len({payload["PayloadIdentifier"] for payload in every}) == 3
    assert len({UUID(payload["PayloadUUID"]) for payload in every}) == 3
    assert {payload["PayloadVersion"] for payload in every} == {1}

    # Devices refuse a longer challenge, and a profile with other identifiers than the one they have.
    challenge = identity["PayloadContent"]["Challenge"]
    assert len(challenge) <= 255
    assert tickets.read(challenge, tenant=tenant).blueprint == blueprint.pk
    another = BlueprintFactory.create(tenant=tenant)
    other = profile_in(api("GET", f"{URL}/{another.uuid}/ota-enrollment-profile", token).content)
    assert [each["PayloadUUID"] for each in (other, *other["PayloadContent"])] == [
        each["PayloadUUID"] for each in every
    ]


def test_no_profile_without_a_push_certificate(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant)
    answer = api("GET", f"{URL}/{blueprint.uuid}/ota-enrollment-profile", token)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Upload a push certificate first: it is what wakes the devices."}


def test_a_changed_code_ends_the_profiles_of_the_former_one(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    PushCertificateFactory.create(tenant=tenant)
    blueprint = BlueprintFactory.create(tenant=tenant)
    profile = profile_in(api("GET", f"{URL}/{blueprint.uuid}/ota-enrollment-profile", token).content)
    ticket = tickets.read(profile["PayloadContent"][0]["PayloadContent"]["Challenge"], tenant=tenant)
    tickets.check_alive(ticket, tenant=tenant)
    assert (
        api("PATCH", f"{URL}/{blueprint.uuid}", token, json={"enrollment_code": {"code": "987654"}}).status_code == 200
    )
    with pytest.raises(tickets.TicketRefused):
        tickets.check_alive(ticket, tenant=tenant)


def test_no_profile_for_a_code_that_is_not_active(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, enrollment_code_active=False)
    answer = api("GET", f"{URL}/{blueprint.uuid}/ota-enrollment-profile", token)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "The enrollment code of this Blueprint is not active."}
