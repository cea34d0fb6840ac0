import pytest
from django.test import Client
from django.urls import reverse

from access.models import Administrator, AuditEvent, Tenant
from access.tokens.authentication import AuthenticationFailed, authenticate
from tests.types import IssueToken

pytestmark = pytest.mark.slow

PAGE = "admin:access_apitoken_changelist"


def test_revoking_goes_through_the_service(console: Client, operator: Administrator, issue_token: IssueToken) -> None:
    token, before = issue_token(), issue_token(revoked=True)
    console.post(
        reverse("admin:access_apitoken_changelist"),
        {"action": "revoke", "_selected_action": [token.pk, before.pk], "confirmed": "yes"},
    )

    with pytest.raises(AuthenticationFailed):
        authenticate(f"Bearer {token.secret}", subdomain=None)
    event = AuditEvent.objects.exclude(tenant=None).latest("sequence")
    assert (event.summary, event.actor_type, event.actor_id) == ("Token revoked", "operator", str(operator.id))


def test_disabling_and_enabling_go_through_the_service(
    console: Client, tenant: Tenant, issue_token: IssueToken
) -> None:
    token = issue_token()
    sent = {"_selected_action": [token.pk], "confirmed": "yes"}
    console.post(reverse(PAGE), {**sent, "action": "disable"})
    with pytest.raises(AuthenticationFailed):
        authenticate(f"Bearer {token.secret}", subdomain=None)
    console.post(reverse(PAGE), {**sent, "action": "enable"})
    assert authenticate(f"Bearer {token.secret}", subdomain=None)
    summaries = tenant.audit_events.order_by("sequence").values_list("summary", flat=True)
    assert list(summaries)[-2:] == ["Token disabled", "Token enabled"]


@pytest.mark.parametrize(("action", "title"), [("revoke", "Revoke API tokens?"), ("disable", "Disable API tokens?")])
def test_what_cuts_off_an_integration_asks_first(
    console: Client, tenant: Tenant, issue_token: IssueToken, action: str, title: str
) -> None:
    token = issue_token(name="Backup job")
    question = console.post(reverse(PAGE), {"action": action, "_selected_action": [token.pk]}).content.decode()
    assert title in question
    assert "Backup job of Accuhive: active, never used" in question
    token.refresh_from_db()
    assert (token.revoked_at, token.disabled_at) == (None, None)


def test_the_list_of_a_state_has_the_tokens_in_that_state(console: Client, issue_token: IssueToken) -> None:
    issue_token(name="Working"), issue_token(name="Ended", revoked=True)
    active, revoked = (console.get(reverse(PAGE), {"state": state}).content.decode() for state in ("active", "revoked"))
    assert ("Working" in active, "Ended" in active) == (True, False)
    assert ("Working" in revoked, "Ended" in revoked) == (False, True)
