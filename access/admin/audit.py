"""The audit trails, which the database protects against changes."""

from django.contrib import admin

from access.admin.base import ReadOnly
from access.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ["occurred_at", "tenant", "summary", "target_name", "actor_name"]
    # Events without a tenant are in the trail of the installation.
    list_filter = ["action", "actor_type", ("tenant", admin.EmptyFieldListFilter), "occurred_at"]
    list_select_related = ["tenant"]
    search_fields = ["target_name", "actor_name", "summary"]
    ordering = ["-id"]
    fields = [
        "ulid", "tenant", "sequence", "occurred_at", "action", "summary", "actor_type", "actor_id", "actor_name",
        "target_type", "target_id", "target_name", "target_component", "changes", "new_state", "metadata",
    ]  # fmt: skip
