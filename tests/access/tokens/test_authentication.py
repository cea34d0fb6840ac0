from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from access.models import ApiToken, Tenant
from access.tokens import authentication, usage
from access.tokens.authentication import AuthenticationFailed, LiveToken, authenticate
from access.tokens.digests import digests
from access.tokens.usage import Call
from tests import plans
from tests.factories.access import TenantFactory
from tests.types import IssueToken

COLUMNS = ["id", "name", "permissions", "expires_at", "last_used_at", "networks"]
SECRETS = ["previous_digest", "previous_until", "tenant_id", "tenant__name", "tenant__subdomain"]
SECRETS += ["mcp", "mcp_sensitive", "tenant__calls_per_second", "tenant__calls_per_hour"]
DEAD: list[dict[str, bool]] = [{}, {"expired": True}, {"revoked": True}, {"disabled": True}]
NEW, OLD = "2:" + "2" * 64, "1:" + "1" * 64
UNKNOWN = "0e0e0e0e-1111-4222-8333-444444444444"


@pytest.fixture(autouse=True)
def no_notes_from_before() -> None:
    usage._uses.clear()


def call(secret: str, *, subdomain: str | None = "accuhive") -> LiveToken:
    return authenticate(f"Bearer {secret}", subdomain=subdomain, call=Call("192.0.2.7"))


def refused(authorization: str | None, *, subdomain: str | None = "accuhive") -> AuthenticationFailed:
    with pytest.raises(AuthenticationFailed) as caught:
        authenticate(authorization, subdomain=subdomain, call=Call("192.0.2.7"))
    return caught.value


def test_one_query_finds_the_token_its_permissions_and_its_tenant(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token(
        "list_devices", "get_device", name="Wall board", expires_at=datetime.now(UTC) + timedelta(days=1)
    )

    with CaptureQueriesContext(connection) as queries:
        live = call(token.secret)
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        unknown = refused(f"Bearer {UNKNOWN}")
    assert len(queries) == 2  # it could be the former secret of a token
    assert (live.id, live.name, live.tenant) == (token.id, "Wall board", tenant)
    assert live.permissions == {"list_devices", "get_device"}
    assert live.tenant.api_url == tenant.api_url
    assert unknown.sent


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer  ", "Basic b3duZXI6c2VjcmV0", UNKNOWN])
def test_no_bearer_token_is_no_token(authorization: str | None) -> None:
    assert not refused(authorization).sent  # without the db fixture, a query would fail


@pytest.mark.parametrize(
    "secret",
    [
        "garbage",
        UNKNOWN[:-1],
        UNKNOWN + "0",
        UNKNOWN.replace("-", ""),
        f"{{{UNKNOWN}}}",
        "\N{ARABIC-INDIC DIGIT ZERO}" * 36,
        f"{UNKNOWN}\n{UNKNOWN}",
    ],
    ids=["word", "short", "long", "without-hyphens", "braces", "other-digits", "two-lines"],
)
def test_a_malformed_token_is_refused_without_a_query(secret: str) -> None:
    assert refused(f"Bearer {secret}").sent


@pytest.mark.parametrize("dead", ["revoked", "expired"])
def test_a_dead_token_is_refused(issue_token: IssueToken, dead: str) -> None:
    assert refused(f"Bearer {issue_token(**{dead: True}).secret}").sent


def test_a_token_is_refused_on_another_tenants_host(
    tenant: Tenant, other_tenant: Tenant, issue_token: IssueToken
) -> None:
    secret = issue_token().secret
    assert refused(f"Bearer {secret}", subdomain="elsewhere").sent
    assert refused(f"Bearer {secret}", subdomain="nobodys").sent
    assert call(secret, subdomain=None).tenant == tenant


def test_a_suspended_tenants_tokens_are_refused(tenant: Tenant, issue_token: IssueToken) -> None:
    secret = issue_token().secret
    tenant.active = False
    tenant.save()
    assert refused(f"Bearer {secret}", subdomain=None).sent


def test_scheme_and_token_are_read_in_any_case(issue_token: IssueToken) -> None:
    token = issue_token()
    assert authenticate(f"bEARER   {token.secret.upper()} ", subdomain=None).id == token.id


def test_a_token_of_an_older_key_works_and_moves_to_the_newest(issue_token: IssueToken, settings: Any) -> None:
    settings.IRU_TOKEN_KEYS = [OLD]
    token = issue_token()
    settings.IRU_TOKEN_KEYS = [NEW, OLD]
    assert call(token.secret).id == token.id
    usage.flush()

    settings.IRU_TOKEN_KEYS = [NEW]
    assert call(token.secret).id == token.id
    token.refresh_from_db()
    assert token.key_number == 2


def test_a_token_whose_key_is_gone_is_refused_like_any_other(issue_token: IssueToken, settings: Any) -> None:
    settings.IRU_TOKEN_KEYS = [OLD]
    token = issue_token()
    settings.IRU_TOKEN_KEYS = [NEW]

    assert refused(f"Bearer {token.secret}").sent


def test_a_key_that_got_another_number_still_finds_its_tokens(issue_token: IssueToken, settings: Any) -> None:
    settings.IRU_TOKEN_KEYS = [OLD]
    token = issue_token()
    settings.IRU_TOKEN_KEYS = [NEW, "77:" + "1" * 64]

    assert call(token.secret).id == token.id
    usage.flush()
    token.refresh_from_db()
    assert (token.digest, token.key_number) == digests(token.secret)[0]


def test_a_flush_does_not_bring_a_replaced_secret_back(issue_token: IssueToken, settings: Any) -> None:
    settings.IRU_TOKEN_KEYS = [OLD]
    token = issue_token()
    settings.IRU_TOKEN_KEYS = [NEW, OLD]
    call(token.secret)
    replacement = digests(UNKNOWN)[0]
    ApiToken.objects.filter(id=token.id).update(digest=replacement.value, key_number=replacement.key_number)
    usage.flush()

    assert refused(f"Bearer {token.secret}").sent
    assert call(UNKNOWN).id == token.id


@pytest.mark.parametrize("keys", [1, 2, 3])
def test_the_look_up_is_its_querysets(
    tenant: Tenant, other_tenant: Tenant, issue_token: IssueToken, settings: Any, keys: int
) -> None:
    settings.IRU_TOKEN_KEYS = [f"{number}:{str(number) * 64}" for number in range(1, keys + 1)]
    suspended = TenantFactory.create(active=False)
    tokens = [issue_token(tenant=each, **dead) for each in (tenant, other_tenant, suspended) for dead in DEAD]
    found = 0
    for token in tokens:
        values = [digest.value for digest in digests(token.secret)]
        assert len(values) == keys
        living = {"disabled_at__isnull": True, "revoked_at__isnull": True, "tenant__active": True}
        queryset = ApiToken.objects.filter(digest__in=values).filter(**living)
        plans.assert_equal(authentication._look_up(keys), values, queryset.values_list(*COLUMNS, "digest", *SECRETS))
        found += queryset.count()
        ApiToken.objects.filter(pk=token.pk).update(previous_digest=F("digest"), digest=F("id"))
        former = ApiToken.objects.filter(previous_digest__in=values).filter(**living)
        columns = former.values_list(*COLUMNS, "previous_digest", *SECRETS)
        plans.assert_equal(authentication._look_up(keys, former=True), values, columns)
    assert found == 4  # of both active tenants one that lives and one that has expired: its moment is looked at later


def test_the_second_look_up_is_its_queryset(tenant: Tenant, issue_token: IssueToken) -> None:
    tokens = [
        issue_token("list_users", tenant=each, **dead) for each in (tenant, TenantFactory.create()) for dead in DEAD
    ]
    Tenant.objects.exclude(pk=tenant.pk).update(active=False)
    for token in tokens:
        queryset = ApiToken.objects.filter(id=token.id).filter(
            disabled_at__isnull=True, revoked_at__isnull=True, tenant__active=True
        )
        plans.assert_equal(
            authentication.LOOK_UP_AGAIN, [token.id.hex], queryset.values_list("permissions", "expires_at")
        )
        assert queryset.exists() is (token in tokens[:2])


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], "203.0.113.9", True),
        (["192.0.2.0/24"], "192.0.2.7", True),
        (["192.0.2.0/24"], "192.0.3.7", False),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
        (["2001:db8::/32"], "2001:db8:1::5", True),
        (["2001:db8::/32"], "192.0.2.7", False),
        (["198.51.100.4/32", "2001:db8::/32"], "198.51.100.4", True),
        (["192.0.2.0/24"], "", False),
    ],
)
def test_calls_come_from_the_networks_of_the_token(
    issue_token: IssueToken, networks: list[str], address: str, allowed: bool
) -> None:
    token = issue_token()
    ApiToken.objects.filter(pk=token.pk).update(networks=networks)
    if allowed:
        assert authenticate(f"Bearer {token.secret}", subdomain=None, call=Call(address)).id == token.id
        return
    with pytest.raises(AuthenticationFailed) as caught:
        authenticate(f"Bearer {token.secret}", subdomain=None, call=Call(address))
    assert caught.value.sent
    assert caught.value.body() == refused(f"Bearer {UNKNOWN}").body()
