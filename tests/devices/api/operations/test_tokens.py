import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.audit.events import Actor
from access.models import ApiToken, AuditEvent, Tenant
from access.tokens.lifecycle import set_permissions
from tests.types import Call, IssuedApiToken, IssueToken

MANAGE = ("list_api_tokens", "create_api_token", "update_api_token", "rotate_api_token", "revoke_api_token")
TOKENS = "/api/v1/tokens"


@pytest.fixture
def manager(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(*MANAGE, "list_devices", "create_tag", name="Manager")


def test_a_token_may_know_itself_without_any_permission(api: Call, issue_token: IssueToken) -> None:
    for token in (issue_token(), issue_token("list_users", "list_devices", name="Inventory sync")):
        assert api("GET", "/api/v1/token", token).json() == {
            "id": str(token.id),
            "name": token.name,
            "permissions": token.permissions,
            "api_url": "http://accuhive.api.iru.test/api/v1",
        }


def test_ping_needs_no_token_but_a_tenant(api: Call, issue_token: IssueToken) -> None:
    issue_token()
    answer = api("GET", "/app/v1/ping?source=iructl")
    assert (answer.status_code, answer.json()) == (200, "pong")
    unknown = api("GET", "/app/v1/ping", host="nobody.api.iru.test")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "tenantNotFound"})
    refused = api("POST", "/app/v1/ping")
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")


def test_the_whole_life_of_a_token(api: Call, manager: IssuedApiToken) -> None:
    expires = (timezone.now() + timedelta(days=30)).replace(microsecond=0)
    made = api(
        "POST",
        TOKENS,
        manager,
        json={
            "name": "Sync",
            "description": "Nightly",
            "permissions": ["list_devices"],
            "expires_at": expires.isoformat(),
            "networks": ["192.0.2.0/24", "127.0.0.1"],
        },
    )
    assert made.status_code == 201
    first = made.json()
    assert api("GET", "/api/v1/devices", first["token"]).status_code == 200
    one = f"{TOKENS}/{first['id']}"

    changed = api(
        "PATCH", one, manager, json={"name": "Sync 2", "permissions": ["create_tag"], "expires_at": None}
    ).json()
    assert {**first, **changed} == {
        **first,
        "name": "Sync 2",
        "permissions": ["create_tag"],
        "expires_at": None,
        "last_used_at": changed["last_used_at"],
        "last_used_from": changed["last_used_from"],
    }
    assert changed["networks"] == ["192.0.2.0/24", "127.0.0.1/32"]
    assert api("GET", "/api/v1/devices", first["token"]).status_code == 403

    second = api("POST", f"{one}/rotate", manager, json={"overlap": "1h"}).json()
    assert second["former_secret_until"]
    assert [api("GET", "/api/v1/token", each["token"]).status_code for each in (first, second)] == [200, 200]
    again = api("POST", f"{one}/rotate", manager, json={})
    assert (again.status_code, again.json()) == (
        400,
        {"detail": "The secret before the last rotation still works. End the overlap first."},
    )

    assert api("PATCH", one, manager, json={"disabled": True}).json()["state"] == "disabled"
    assert api("GET", "/api/v1/token", second["token"]).status_code == 401
    assert api("PATCH", one, manager, json={"disabled": False}).json()["state"] == "active"
    assert api("GET", "/api/v1/token", second["token"]).status_code == 200

    assert api("DELETE", one, manager).status_code == 204
    assert api("GET", "/api/v1/token", second["token"]).status_code == 401
    for method, path in (("DELETE", one), ("PATCH", one), ("POST", f"{one}/rotate")):
        assert api(method, path, manager, json={}).status_code == 404
    authors = AuditEvent.objects.filter(target_id=first["id"]).values_list("actor_type", "actor_name")
    assert set(authors) == {("api_token", "Manager")}
    assert len(authors) == 7


def test_the_list_has_states_and_no_secret(api: Call, manager: IssuedApiToken, issue_token: IssueToken) -> None:
    for state in ("disabled", "expired", "revoked"):
        issue_token(name=state, description="old", **{state: True})
    issue_token(name="both", description="old", disabled=True, expired=True)

    def names(query: str = "") -> list[str]:
        return [token["name"] for token in api("GET", f"{TOKENS}?{query}", manager).json()["results"]]

    assert names() == ["both", "expired", "disabled", "Manager"]
    assert names("state=active") == ["Manager"]
    assert names("state=disabled") == ["both", "disabled"]
    assert names("state=expired") == ["expired"]
    assert names("state=revoked") == ["revoked"]
    assert names("search=OLD&state=disabled") == ["both", "disabled"]
    assert names("limit=1&offset=1") == ["expired"]
    page = api("GET", TOKENS, manager)
    states = {token["name"]: token["state"] for token in page.json()["results"]}
    assert states == {"both": "disabled", "expired": "expired", "disabled": "disabled", "Manager": "active"}
    assert manager.secret not in page.content.decode()
    assert api("GET", f"{TOKENS}?state=odd", manager).status_code == 400


BEYOND: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", TOKENS, {"name": "More", "permissions": ["list_devices", "erase_device", "lock_device"]}),
    "widen": ("PATCH", "narrow", {"permissions": ["erase_device"]}),
    "touch": ("PATCH", "wide", {"description": "Mine"}),
    "narrow": ("PATCH", "wide", {"permissions": []}),
    "enable": ("PATCH", "wide", {"disabled": False}),
    "rotate": ("POST", "wide/rotate", {}),
}


@pytest.mark.parametrize("case", BEYOND)
def test_a_token_manages_nothing_beyond_itself(
    case: str, api: Call, manager: IssuedApiToken, issue_token: IssueToken
) -> None:
    method, path, body = BEYOND[case]
    for name, permission in (("narrow", "list_devices"), ("wide", "erase_device")):
        path = (
            path.replace(name, f"{TOKENS}/{issue_token(permission, name=name).id}", 1)
            if path.startswith(name)
            else path
        )
    before = list(ApiToken.objects.order_by("pk").values("pk", "digest", "permissions", "description", "disabled_at"))
    answer = api(method, path, manager, json=body)
    assert answer.status_code == 403
    lacking = answer.json()
    assert lacking["detail"] == "A token manages only tokens whose permissions it has itself."
    assert "erase_device" in lacking["missing_permissions"]
    assert lacking["missing_permission"]["label"] in {"Erase Device", "Lock Device"}
    after = list(ApiToken.objects.order_by("pk").values("pk", "digest", "permissions", "description", "disabled_at"))
    assert after == before


def test_a_wider_token_can_be_revoked(api: Call, manager: IssuedApiToken, issue_token: IssueToken) -> None:
    """Taking a right away gives none."""
    assert api("DELETE", f"{TOKENS}/{issue_token('erase_device').id}", manager).status_code == 204


@pytest.mark.parametrize("lost", ["create_api_token", "list_devices"])
def test_a_permission_that_is_lost_meanwhile_is_not_passed_on(
    lost: str, api: Call, manager: IssuedApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    from access.tokens import lifecycle

    check = lifecycle.check_within

    def checked_then_lost(*arguments: Any) -> None:
        check(*arguments)
        set_permissions(
            tenant=manager.tenant,
            token_id=manager.id,
            permissions=[name for name in manager.permissions if name != lost],
            version=manager.version,
            actor=Actor.command("test"),
        )

    monkeypatch.setattr(lifecycle, "check_within", checked_then_lost)
    answer = api("POST", TOKENS, manager, json={"name": "Late", "permissions": ["list_devices"]})
    assert (answer.status_code, "missing_permission" in answer.json()) == (403, True)
    assert not ApiToken.objects.filter(name="Late").exists()


def test_a_token_may_rotate_itself(api: Call, issue_token: IssueToken) -> None:
    token = issue_token("rotate_api_token")
    answer = api("POST", f"{TOKENS}/{token.id}/rotate", token, json={"overlap": "until-used"})
    new = answer.json()["token"]
    assert api("GET", "/api/v1/token", token).status_code == 200
    assert api("GET", "/api/v1/token", new).status_code == 200
    assert api("GET", "/api/v1/token", token).status_code == 401


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no name": ({}, {"name": ["This field is required."]}),
    "empty name": ({"name": "  "}, {"name": ["This field may not be blank."]}),
    "unknown permission": (
        {"name": "x", "permissions": ["fly"]},
        {"permissions": ["There is no permission called fly."]},
    ),
    "past": (
        {"name": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": ["The expiry must lie in the future."]},
    ),
    "network": (
        {"name": "x", "networks": ["somewhere"]},
        {"networks": ["This is no network in CIDR notation: somewhere."]},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_names_its_field(case: str, api: Call, manager: IssuedApiToken) -> None:
    body, errors = REFUSED[case]
    answer = api("POST", TOKENS, manager, json=body)
    assert (answer.status_code, answer.json()) == (400, errors)


def test_the_rule_of_the_organization_holds(api: Call, manager: IssuedApiToken, tenant: Tenant) -> None:
    Tenant.objects.update(longest_token_days=30)
    assert api("POST", TOKENS, manager, json={"name": "x"}).json() == {
        "expires_at": ["Tokens of this organization expire within 30 days at most."]
    }


def test_a_refused_change_of_several_things_changes_none(
    api: Call, manager: IssuedApiToken, issue_token: IssueToken
) -> None:
    token = issue_token(name="Before")
    answer = api("PATCH", f"{TOKENS}/{token.id}", manager, json={"name": "After", "permissions": ["fly"]})
    assert answer.status_code == 400
    token.refresh_from_db()
    assert token.name == "Before"


def test_unknown_and_foreign_tokens_are_not_found(api: Call, manager: IssuedApiToken) -> None:
    assert api("DELETE", f"{TOKENS}/{uuid.uuid4()}", manager).status_code == 404
