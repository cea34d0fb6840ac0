"""The audit trails, which the database protects against changes."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from access.admin.base import Large
from access.audit.subjects import subject_label
from access.models import AuditEvent


class TrailFilter(admin.SimpleListFilter):
    title = "Trail"
    parameter_name = "trail"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("installation", "Of the installation"), ("tenants", "Of tenants")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in {"installation", "tenants"}:
            return queryset
        return queryset.filter(tenant__isnull=self.value() == "installation")


@admin.register(AuditEvent)
class AuditEventAdmin(Large):
    noun, nouns = "audit event", "audit events"
    group = "Operation"
    list_display = ["occurred_at", "tenant", "summary", "subject", "target_name", "actor_name"]
    list_filter = [TrailFilter, "action", "actor_type", "occurred_at"]
    list_select_related = ["tenant"]
    search_fields = ["target_name", "actor_name", "summary"]
    fields = [
        "ulid", "tenant", "sequence", "occurred_at", "action", "summary", "actor_type", "actor_id", "actor_name",
        "target_type", "target_id", "target_name", "target_component", "changes", "new_state", "metadata",
    ]  # fmt: skip

    @admin.display(description="Object")
    def subject(self, event: AuditEvent) -> str:
        return subject_label(event.target_type)
