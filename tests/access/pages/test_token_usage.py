"""How a token is used: the chart, refused calls with the way to grant them, unused permissions, and learn mode."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.audit.events import Actor
from access.models import Administrator, ApiToken, TokenUse
from access.tokens import usage
from access.tokens.learning import suggestions, unused_permissions
from access.tokens.lifecycle import set_permissions
from tests.access.pages.test_editor import editor, ticked
from tests.access.pages.test_permissions import admin, owner, save, stored
from tests.types import Call, IssueToken

__all__ = ["admin", "owner"]  # fixtures
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_counts_from_before() -> None:
    usage._calls.clear()
    usage._counts.clear()


def page(client: Client, token: ApiToken) -> Any:
    return client.get(reverse("token-usage", args=[token.id]))


def use(token: ApiToken, operation: str, days: int, **counts: Any) -> None:
    day = datetime.now(UTC).date() - timedelta(days=days)
    TokenUse.objects.create(token=token, day=day, operation=operation, **counts)


def test_calls_are_drawn_by_day_and_operation(admin: Client, issue_token: IssueToken) -> None:
    token = issue_token("list_users", "list_tags")
    use(token, "list_users", 0, calls=8)
    use(token, "list_users", 29, calls=1, denied=1, denied_at=timezone.now())
    use(token, "list_tags", 29, calls=2)
    use(token, "list_tags", 30, calls=500)  # before the 30 days
    context = page(admin, token).context
    assert context["total"] == 12
    columns = context["columns"]
    assert (len(columns), columns[0].count, columns[-1].count) == (30, 4, 8)
    assert (columns[-1].height, columns[0].height, columns[1].height) == (100, 50, 0)
    assert [(row.bar.label, row.bar.count) for row in context["operations"]] == [("List users", 9), ("Get Tags", 2)]


def test_a_refused_call_names_what_was_missing_and_can_be_granted(
    admin: Client, issue_token: IssueToken, api: Call
) -> None:
    token = issue_token("list_users")
    assert api("DELETE", f"/api/v1/devices/{token.id}", token).status_code == 403
    usage.flush()
    response = page(admin, token)
    denied = response.context["denied"]
    assert [(each.permission.codename, each.count) for each in denied] == [("delete_device", 1)]
    grant = parse_qs(urlsplit(denied[0].url).query)["grant"]
    assert f'href="{denied[0].url}"' in response.content.decode()
    # It is sensitive, and ticked because a call was refused for it.
    assert ticked(editor(admin, token, grant=grant)) == {"list_users", "delete_device"}
    assert ticked(editor(admin, token, grant=["erase_device"])) == {"list_users"}
    assert stored(token) == {"list_users"}
    save(admin, token, ["list_users", "delete_device"])
    assert page(admin, token).context["denied"] == []


class TestUnused:
    @pytest.fixture
    def token(self, issue_token: IssueToken, owner: Administrator) -> ApiToken:
        token = issue_token("list_users", "list_tags", "list_devices", created_by=owner)
        ApiToken.objects.filter(pk=token.pk).update(created_at=timezone.now() - timedelta(days=200))
        use(token, "list_users", 5, calls=1)
        use(token, "list_tags", 91, calls=1)
        token.refresh_from_db()
        return token

    def test_what_was_not_called_for_90_days_can_be_removed(self, admin: Client, token: ApiToken) -> None:
        context = page(admin, token).context
        assert {each.codename for each in context["unused"]} == {"list_tags", "list_devices"}
        remove = parse_qs(urlsplit(context["unused_url"]).query)["remove"]
        assert ticked(editor(admin, token, remove=remove)) == {"list_users"}
        assert stored(token) == {"list_users", "list_tags", "list_devices"}

    def test_a_permission_that_was_granted_lately_is_not_unused(self, owner: Administrator, token: ApiToken) -> None:
        granted = [*token.permissions, "get_device"]
        set_permissions(tenant=token.tenant, token_id=token.id, permissions=granted, version=1, actor=Actor.of(owner))
        token.refresh_from_db()
        assert "get_device" not in {each.codename for each in unused_permissions(token)[0]}

    def test_it_cannot_be_told_before_calls_are_counted_for_90_days(self, token: ApiToken) -> None:
        TokenUse.objects.filter(operation="list_tags").delete()
        permissions, known_from = unused_permissions(token)
        assert permissions == []
        assert known_from
        assert round((known_from - timezone.now()) / timedelta(days=1)) in {84, 85}


class TestLearning:
    def test_refused_calls_are_suggested_ticked_and_unsaved(
        self, admin: Client, issue_token: IssueToken, api: Call
    ) -> None:
        token = issue_token("list_users")
        api("GET", "/api/v1/blueprints", token)  # before
        usage.flush()
        admin.post(reverse("token-learn", args=[token.id]))
        api("GET", "/api/v1/tags", token)
        api("POST", f"/api/v1/devices/{token.id}/action/erase", token)
        api("GET", "/api/v1/users", token)
        usage.flush()
        token.refresh_from_db()
        assert {each.codename for each in suggestions(token)} == {"list_tags", "erase_device"}
        response = editor(admin, token)
        assert ticked(response) == {"list_users", "list_tags", "erase_device"}
        assert response.content.decode().count(">Suggested<") == 2
        assert stored(token) == {"list_users"}
        save(admin, token, ["list_users", "list_tags"])
        assert ticked(editor(admin, token)) == {"list_users", "list_tags"}  # the other was decided against
        assert "Token learn mode started" in admin.get(reverse("token-activity", args=[token.id])).content.decode()

    def test_it_ends_after_an_hour_and_keeps_what_it_learned(
        self, admin: Client, issue_token: IssueToken, api: Call
    ) -> None:
        token = issue_token()
        admin.post(reverse("token-learn", args=[token.id]))
        api("GET", "/api/v1/tags", token)
        usage.flush()
        hour = timedelta(minutes=61)
        token.refresh_from_db()
        assert token.learning_from
        assert token.learning_until
        assert token.learning_until - token.learning_from == timedelta(hours=1)
        ApiToken.objects.filter(pk=token.pk).update(
            learning_from=token.learning_from - hour, learning_until=token.learning_until - hour
        )
        TokenUse.objects.update(denied_at=timezone.now() - hour + timedelta(minutes=1))
        api("GET", "/api/v1/users", token)
        usage.flush()
        token.refresh_from_db()
        assert [each.codename for each in suggestions(token)] == ["list_tags"]
        assert "Learn mode has ended" in page(admin, token).content.decode()

    def test_ending_it_forgets_the_suggestions(self, admin: Client, issue_token: IssueToken, api: Call) -> None:
        token = issue_token()
        admin.post(reverse("token-learn", args=[token.id]))
        api("GET", "/api/v1/tags", token)
        usage.flush()
        admin.post(reverse("token-stop-learning", args=[token.id]))
        token.refresh_from_db()
        assert suggestions(token) == []
        assert ticked(editor(admin, token)) == set()
