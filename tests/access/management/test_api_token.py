import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from access.models import ApiToken, AuditEvent, Tenant
from access.permissions import catalogue
from access.tokens.authentication import AuthenticationFailed, authenticate
from tests.types import IssueToken

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def run(*arguments: str) -> tuple[str, str]:
    """Standard output and standard error of `api_token`."""
    out, errors = StringIO(), StringIO()
    call_command("api_token", *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def permissions_of(*arguments: str) -> set[str]:
    secret, _ = run("create", "--tenant", "accuhive", "--name", "Wall", *arguments)
    return set(authenticate(f"Bearer {secret.strip()}", subdomain="accuhive").permissions)


def test_create_prints_the_bare_token_alone(tenant: Tenant) -> None:
    out, errors = run("create", "--tenant", "accuhive", "--name", "Wall", "--permissions", "list_devices,get_device")

    assert re.fullmatch(rf"{UUID}\n", out)
    assert tenant.api_url in errors
    assert out.strip() not in errors
    assert authenticate(f"Bearer {out.strip()}", subdomain="accuhive").name == "Wall"
    event = AuditEvent.objects.get()
    assert (event.actor_type, event.actor_name) == ("system", "manage.py api_token")


def test_create_for_an_ai_assistant_in_one_network(tenant: Tenant) -> None:
    options = ("--mcp", "--mcp-sensitive", "--networks", "192.0.2.0/24, 2001:db8::1", "--networks", "198.51.100.7")
    out, _ = run("create", "--tenant", "accuhive", "--name", "Assistant", *options, "--json")
    assert json.loads(out)["mcp_url"] == tenant.mcp_url
    token = ApiToken.objects.get()
    assert (token.mcp, token.mcp_sensitive) == (True, True)
    assert token.networks == ["192.0.2.0/24", "2001:db8::1/128", "198.51.100.7/32"]
    for wrong in (["--mcp-sensitive"], ["--networks", "somewhere"]):
        with pytest.raises(CommandError):
            run("create", "--tenant", "accuhive", "--name", "Wrong", *wrong)
    assert ApiToken.objects.count() == 1


def test_create_as_json_tells_all_an_integration_needs(tenant: Tenant) -> None:
    out, _ = run("create", "--tenant", "accuhive", "--name", "Wall", "--permissions", "list_devices", "--json")

    answer = json.loads(out)
    assert re.fullmatch(UUID, answer.pop("token"))
    assert answer == {
        "id": str(ApiToken.objects.get().id),
        "name": "Wall",
        "permissions": ["list_devices"],
        "api_url": "http://accuhive.api.iru.test/api/v1",
    }


def test_permissions_are_words_that_may_be_repeated(tenant: Tenant) -> None:
    everything = {permission.codename for permission in catalogue}
    reading = {each.codename for each in catalogue if each.method == "GET" and not each.sensitive}

    assert permissions_of() == set()
    assert permissions_of("--permissions", "all") == everything
    assert permissions_of("--permissions", "read-only") == reading < everything
    assert permissions_of("--permissions", "read-only, delete_device") == reading | {"delete_device"}
    assert permissions_of("--permissions", "get_user", "--permissions", "list_users") == {"get_user", "list_users"}


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2099-01-31", "2099-01-31T23:59:59.999999+00:00"),
        ("2099-01-31T12:00+02:00", "2099-01-31T10:00:00+00:00"),
        ("2099-01-31T12:00", "2099-01-31T12:00:00+00:00"),
    ],
)
def test_a_token_may_expire(tenant: Tenant, written: str, stored: str) -> None:
    run("create", "--tenant", "accuhive", "--name", "Wall", "--expires", written)
    expires_at = ApiToken.objects.get().expires_at
    assert expires_at
    assert expires_at.isoformat() == stored


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["create", "--tenant", "nobodys", "--name", "X"], "There is no tenant nobodys."),
        (["create", "--tenant", "accuhive", "--name", " "], "name: This field cannot be blank."),
        (
            ["create", "--tenant", "accuhive", "--name", "X", "--permissions", "list_device"],
            "permissions: There is no permission called list_device.",
        ),
        (["create", "--tenant", "accuhive", "--name", "X", "--expires", "2001-01-01"], "must lie in the future"),
        (["create", "--tenant", "accuhive", "--name", "X", "--expires", "soon"], "soon is not a date"),
        (["revoke", "--tenant", "accuhive", "Nothing"], "accuhive has no token Nothing."),
        (["revoke", "--tenant", "accuhive", "Twin"], "Several tokens are called Twin."),
        (["list"], "--tenant"),
        ([], "action"),
    ],
    ids=["tenant", "name", "permission", "past", "date", "unknown", "ambiguous", "no-tenant", "no-action"],
)
def test_a_mistake_is_one_clear_line(tenant: Tenant, issue_token: IssueToken, arguments: list[str], line: str) -> None:
    issue_token(name="Twin")
    issue_token(name="Twin")
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ApiToken.objects.count() == 2


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_list_shows_the_tenants_active_tokens_without_secrets(
    tenant: Tenant, other_tenant: Tenant, issue_token: IssueToken, options: list[str]
) -> None:
    shown = issue_token("list_devices", name="Wall [bold]board[/bold]")
    issue_token(name="Ended", revoked=True)
    issue_token(name="Theirs", tenant=other_tenant)
    out, _ = run("list", "--tenant", "accuhive", *options)

    assert shown.name in out
    assert str(shown.id) in out
    assert "Ended" not in out
    assert "Theirs" not in out
    assert shown.secret not in out
    assert shown.digest[:12] not in out


@pytest.mark.parametrize("by", ["id", "name"])
def test_revoke_takes_an_id_or_a_name(issue_token: IssueToken, by: str) -> None:
    token, other = issue_token(name="Wall"), issue_token(name="Board")
    run("revoke", "--tenant", "accuhive", str(getattr(token, by)))

    with pytest.raises(AuthenticationFailed):
        authenticate(f"Bearer {token.secret}", subdomain=None)
    assert authenticate(f"Bearer {other.secret}", subdomain=None).name == "Board"


def test_revoke_does_not_reach_another_tenant(other_tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token()
    with pytest.raises(CommandError, match="has no token"):
        run("revoke", "--tenant", "elsewhere", str(token.id))
    token.refresh_from_db()
    assert token.revoked_at is None


def test_keys_counts_tokens_under_each_key(tenant: Tenant, issue_token: IssueToken, settings: Any) -> None:
    new, old, gone = ("3:" + "3" * 64), ("2:" + "2" * 64), ("1:" + "1" * 64)
    for key in (gone, old, old):
        settings.IRU_TOKEN_KEYS = [key]
        issue_token()
    issue_token(revoked=True)
    settings.IRU_TOKEN_KEYS = [new, old]

    assert json.loads(run("keys", "--json")[0]) == [
        {"key": 3, "tokens": 0, "known": True},
        {"key": 2, "tokens": 2, "known": True},
        {"key": 1, "tokens": 1, "known": False},
    ]
    assert "key 1: 1 tokens (not in IRU_TOKEN_KEYS" in run("keys")[0]
