"""API tokens: looked at and revoked, never created. No secret and no digest is shown."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from access.admin.base import ReadOnly, operator
from access.models import ApiToken
from access.tokens.lifecycle import revoke_token


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    list_display = ["name", "tenant", "granted_count", "created_by_name", "created_at", "last_used_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), "created_at", "last_used_at"]
    list_select_related = ["tenant"]
    search_fields = ["name", "description", "tenant__name", "created_by_name"]
    # The digest is of no use to people, and of some to an attacker.
    fields = [
        "id", "tenant", "name", "description", "permissions", "version", "key_number", "created_at", "created_by_name",
        "expires_at", "revoked_at", "last_used_at", "last_used_from",
    ]  # fmt: skip
    actions = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.delete_apitoken")

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset.select_related("tenant"):
            try:
                revoke_token(tenant=token.tenant, token_id=token.id, actor=operator(request))
            except ApiToken.DoesNotExist:
                self.message_user(request, f"{token.name} was revoked before.", messages.WARNING)
            else:
                self.message_user(request, f"{token.name} is revoked.")
