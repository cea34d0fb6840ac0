"""API tokens: looked at, disabled, enabled and revoked, never created. No secret and no digest is shown."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from access.admin.base import ReadOnly, operator
from access.admin.questions import Question, answered, ask
from access.models import ApiToken
from access.tokens.lifecycle import disable_token, enable_token, revoke_token


class StateFilter(admin.SimpleListFilter):
    title = "Status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.capitalize()) for state in ("active", "disabled", "expired", "revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {value for value, _ in self.lookup_choices}
        return queryset.in_state(self.value()) if self.value() in known else queryset  # type: ignore[attr-defined]


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    noun, nouns = "API token", "API tokens"
    list_display = ["name", "tenant", "state", "permission_count", "created_by_name", "created_at", "last_used_at"]
    list_filter = [StateFilter, "created_at", "last_used_at"]
    list_select_related = ["tenant"]
    search_fields = ["name", "description", "tenant__name", "created_by_name"]
    # The digest is of no use to people, and of some to an attacker.
    fields = [
        "id", "tenant", "name", "description", "state", "permission_list", "network_list", "mcp", "mcp_sensitive",
        "calls", "version", "key_number", "created_at", "created_by_name", "responsible", "expires_at", "disabled_at",
        "revoked_at", "last_used_at", "last_used_from", "last_used_by", "last_used_for",
    ]  # fmt: skip
    actions = ["disable", "enable", "revoke"]
    buttons = {"disable": "Disable", "enable": "Enable", "revoke": "Revoke"}
    dangerous = frozenset({"revoke"})

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.change_apitoken")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.delete_apitoken")

    def may_offer(self, name: str, obj: ApiToken) -> bool:
        if obj.revoked_at is not None:
            return False
        return name == "revoke" or (obj.disabled_at is None) == (name == "disable")

    @admin.display(description="Status")
    def state(self, token: ApiToken) -> str:
        return token.state.capitalize()

    @admin.display(description="Permissions")
    def permission_count(self, token: ApiToken) -> int:
        return token.granted_count

    @admin.display(description="Permissions")
    def permission_list(self, token: ApiToken) -> str:
        return ", ".join(permission.label for permission in token.granted) or "None"

    @admin.display(description="Networks")
    def network_list(self, token: ApiToken) -> str:
        return ", ".join(token.networks) or "All"

    @admin.display(description="Calls in 30 days")
    def calls(self, token: ApiToken) -> int:
        return sum(token.uses.of_last(30).by_day().values())

    @admin.action(description="Disable", permissions=["stop"])
    def disable(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        if not answered(request):
            about = "Calls with them are refused from then on, until they are enabled again."
            question = Question("Disable API tokens?", about, "Disable", _in_use(queryset))
            return ask(self, request, queryset, question)
        self._each(request, queryset, disable_token, "is disabled")
        return None

    @admin.action(description="Enable", permissions=["stop"])
    def enable(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        self._each(request, queryset, enable_token, "is enabled")

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        if not answered(request):
            about = "Calls with them are refused from then on. This cannot be undone."
            question = Question("Revoke API tokens?", about, "Revoke", _in_use(queryset))
            return ask(self, request, queryset, question)
        self._each(request, queryset, revoke_token, "is revoked")
        return None

    def _each(self, request: HttpRequest, tokens: QuerySet[ApiToken], change: Callable[..., Any], done: str) -> None:
        """Make the change for each token, and say of each what became of it."""
        for token in tokens.select_related("tenant"):
            try:
                change(tenant=token.tenant, token_id=token.id, actor=operator(request))
            except ApiToken.DoesNotExist:
                self.message_user(request, f"{token.name} was revoked before.", messages.WARNING)
            else:
                self.message_user(request, f"{token.name} {done}.")


def _in_use(tokens: QuerySet[ApiToken]) -> list[str]:
    """Each token with its tenant, its state, and how long ago it was used."""
    return [
        f"{token.name} of {token.tenant}: {token.state}, {_use(token)}" for token in tokens.select_related("tenant")
    ]


def _use(token: ApiToken) -> str:
    if token.last_used_at is None:
        return "never used"
    at = token.last_used_at - timedelta(microseconds=token.last_used_at.microsecond)
    return f"last used {at:%Y-%m-%d %H:%M} UTC"
