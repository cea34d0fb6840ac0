"""Tenants: made, renamed, suspended and resumed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from access.admin.base import ReadOnly, operator
from access.models import Tenant
from access.people.tenants import create_tenant, edit_tenant


@admin.register(Tenant)
class TenantAdmin(ReadOnly):
    list_display = ["name", "subdomain", "active", "created_at"]
    list_filter = ["active"]
    search_fields = ["name", "subdomain"]
    readonly_fields = ["api_url", "created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.add_tenant")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("access.change_tenant")

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        # Integrations are configured with the subdomain, so it cannot change.
        return ["subdomain", "api_url", "created_at"] if obj else ["active", "api_url", "created_at"]

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if change:
            edit_tenant(tenant_id=obj.pk, name=obj.name, active=obj.active, actor=operator(request))
        else:
            obj.pk = create_tenant(name=obj.name, subdomain=obj.subdomain, actor=operator(request)).pk
