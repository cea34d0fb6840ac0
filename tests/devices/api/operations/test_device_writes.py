from typing import Any

import orjson
import pytest

from access.models import AuditEvent, Tenant
from tests.factories.devices import BlueprintFactory, UserFactory
from tests.types import Call, IssuedApiToken, IssueToken


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_devices", "get_device", "update_device", "delete_device")


def test_an_update_changes_the_given_fields_and_answers_the_record(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant
) -> None:
    path = f"/api/v1/devices/{mixed['beta'].uuid}"
    shop = mixed["gamma"].blueprint
    answer = api(
        "PATCH",
        path,
        token,
        json={
            "user": str(mixed["ann"].uuid),
            "asset_tag": " N-7 ",
            "blueprint_id": str(shop.uuid),
            "tags": ["VIP", "new"],
        },
    )
    assert answer.status_code == 200
    row = answer.json()
    assert (row["user"]["name"], row["asset_tag"], row["blueprint_name"], row["tags"]) == (
        "Ann Fisher",
        "N-7",
        "Shop",
        ["VIP", "new"],
    )
    assert api("GET", path, token).json() == row
    assert api("PATCH", path, token, json={"asset_tag": "N-8"}).json() == {**row, "asset_tag": "N-8"}
    cleared = api("PATCH", path, token, json={"user": None, "asset_tag": None, "tags": []}).json()
    assert (cleared["user"], cleared["asset_tag"], cleared["tags"]) == (None, "", [])


def test_an_update_is_on_record_with_old_and_new(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant
) -> None:
    api("PATCH", f"/api/v1/devices/{mixed['beta'].uuid}", token, json={"asset_tag": "N-7", "tags": ["loaner"]})
    event = tenant.audit_events.get(target_type="device")
    assert (event.summary, event.actor_type, event.actor_id, event.actor_name) == (
        "Device updated",
        AuditEvent.ActorType.API_TOKEN,
        str(token.id),
        token.name,
    )
    assert (event.target_id, event.changes) == (
        str(mixed["beta"].uuid),
        {"asset_tag": {"old": "", "new": "N-7"}},
    )


def test_an_update_without_changes_writes_no_event(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).json()
    assert api("PATCH", path, token, json={"asset_tag": "A-1"}).json() == before
    assert api("PATCH", path, token, json={}).json() == before
    assert not tenant.audit_events.filter(target_type="device").exists()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"asset_tag": ""}, {"asset_tag": ["This field may not be blank."]}),
        ({"asset_tag": "x" * 256}, {"asset_tag": ["Ensure this field has no more than 255 characters."]}),
        ({"asset_tag": ["x"]}, {"asset_tag": ["Not a valid string."]}),
        ({"asset_tag": "a\0b"}, {"asset_tag": ["Null characters are not allowed."]}),
        ({"user": "7"}, {"user": ["Must be a valid UUID."]}),
        ({"blueprint_id": None}, {"blueprint_id": ["This field may not be null."]}),
        ({"tags": "x"}, {"tags": ['Expected a list of items but got type "str".']}),
        ({"tags": ["x"] * 201}, {"tags": ["Ensure this field has no more than 200 elements."]}),
        ({"tags": [None]}, {"tags": ["This field may not be null."]}),
        ({"tags": [""]}, {"tags": ["This field may not be blank."]}),
        (
            {"user": "98765000-0000-4000-8000-000000000004"},
            {"user": ['Invalid pk "98765000-0000-4000-8000-000000000004" - object does not exist.']},
        ),
    ],
)
def test_a_bad_update_names_its_fields_and_changes_nothing(
    body: dict[str, Any], errors: dict[str, list[str]], api: Call, token: IssuedApiToken, mixed: dict[str, Any]
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).json()
    answer = api("PATCH", path, token, json={"asset_tag": "changed", **body})
    assert (answer.status_code, answer.json()) == (400, errors)
    assert api("GET", path, token).json() == before


def test_other_tenants_blueprints_and_users_cannot_be_assigned(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], other_tenant: Tenant
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    for field, theirs in (
        ("user", UserFactory.create(tenant=other_tenant)),
        ("blueprint_id", BlueprintFactory.create(tenant=other_tenant)),
    ):
        answer = api("PATCH", path, token, json={field: str(theirs.uuid)})
        assert (answer.status_code, list(answer.json())) == (400, [field])


def test_fields_that_are_not_for_changing_are_left_alone(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any]
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).json()
    body = {name: "changed" for name in before if name not in {"user", "asset_tag", "blueprint_id", "tags"}}
    answer = api(
        "PATCH", path, token, json={**body, "tenant": "x", "tenant_id": 1, "id": 1, "uuid": "x", "record_json": "{}"}
    )
    assert (answer.status_code, answer.json()) == (200, before)


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json;charset=utf-8", "application/json; charset=UTF-8", "Application/JSON"),
        *("application/json; charset=iso-8859-1", "application/json; charset=utf-16", "application/json; charset=none"),
    ],
)
def test_texts_are_utf8_whatever_charset_is_named(
    content_type: str, api: Call, token: IssuedApiToken, mixed: dict[str, Any]
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    body = '{"asset_tag": "Büro"}'.encode()
    changed = api("PATCH", path, token, data=body, content_type=content_type)
    assert (changed.status_code, changed["Content-Type"]) == (200, "application/json")
    found = api("GET", "/api/v1/devices?asset_tag=B%C3%BCro", token, headers={"content-type": content_type})
    assert found.json() == [changed.json()]
    assert changed.json()["asset_tag"] == "Büro"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "detail"),
    [
        (
            b'{"a": 1\n"b": 2}',
            "application/json",
            400,
            "JSON parse error - Expecting ',' delimiter: line 2 column 1 (char 8)",
        ),
        (
            b'{"asset_tag": "x" // a comment\n}',
            "application/json",
            400,
            "JSON parse error - Expecting ',' delimiter: line 1 column 19 (char 18)",
        ),
        (b'"\\ud800"', "application/json", 400, None),
        (b"\xff", "application/json", 400, None),
        (b"[" * 100_000, "application/json", 400, None),
        (b'{"tags":' + b"[" * 900 + b"]" * 900 + b"}", "application/json", 400, None),
        # The parser takes it, but Python cannot look into it.
        (b'{"tags":' + b"[" * 1020 + b"]" * 1020 + b"}", "application/json", 400, None),
        (b'{"asset_tag":' + b"9" * 5000 + b"}", "application/json", 400, None),
        (b"[]", "application/json", 400, None),
        (b"asset_tag=x", "application/x-www-form-urlencoded", 415, None),
        (b"x", "text/plain", 415, 'Unsupported media type "text/plain" in request.'),
        (b"x" * 1_100_000, "application/json", 413, "The request body is too large."),
    ],
)
def test_bodies_that_cannot_be_read(
    body: bytes,
    content_type: str,
    status: int,
    detail: str | None,
    api: Call,
    token: IssuedApiToken,
    mixed: dict[str, Any],
) -> None:
    answer = api("PATCH", f"/api/v1/devices/{mixed['alpha'].uuid}", token, data=body, content_type=content_type)
    assert answer.status_code == status, answer.content
    if detail:
        assert answer.json() == {"detail": detail}


def test_deleting_one(api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    answer = api("DELETE", path, token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert api("GET", path, token).status_code == 404
    assert api("DELETE", path, token).status_code == 404
    assert api("GET", "/api/v1/devices", token)["X-Total-Count"] == "3"
    event = tenant.audit_events.get(target_type="device")
    assert (event.summary, event.target_name) == ("Device deleted", "alpha")


def test_a_change_without_its_audit_event_is_rolled_back(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).content

    def broken(**event: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("devices.fleet.devices.log_event", broken)
    assert api("PATCH", path, token, json={"asset_tag": "X", "tags": []}).status_code == 500
    assert api("DELETE", path, token).status_code == 500
    assert api("GET", path, token).content == before
    assert orjson.loads(before)["asset_tag"] == "A-1"
