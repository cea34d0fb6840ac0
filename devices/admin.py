"""Read-only pages of the device tables in Django admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Upper
from django.http import HttpRequest

from access.admin.base import Large
from access.models import Tenant
from devices.models import (
    Blueprint,
    BlueprintRouting,
    Device,
    DeviceActivity,
    DeviceCommand,
    DeviceNote,
    DeviceSecret,
    DirectoryIntegration,
    LibraryItem,
    LostMode,
    RoutingActivity,
    Tag,
    User,
)


class OfFleet(Large):
    """A table of the devices' side: only shown, as all are here."""

    group = "Fleet"


@admin.register(Device)
class DeviceAdmin(OfFleet):
    noun, nouns = "device", "devices"
    list_display = ["name", "serial_number", "platform", "os_version", "blueprint", "user", "tenant", "last_check_in"]
    list_filter = ["platform", "is_missing", "is_removed"]
    list_select_related = ["blueprint", "user", "tenant"]
    search_fields = ["name", "serial_number", "user__email"]
    about = "A whole serial number is found among all devices of all tenants."
    readonly_fields = ["uuid"]
    exclude = ["record_json", "search_text", "blueprint_label", "user_label"]

    def exactly(self, request: HttpRequest, query: str) -> QuerySet[Any]:
        """Devices with this serial number, by the unique index of each tenant."""
        devices = self.get_queryset(request).alias(serial_upper=Upper("serial_number"))
        # A database uses a partial index where its condition is written as in the index.
        rows: QuerySet[Any] = devices.filter(~Q(serial_number=""), serial_upper=query.strip().upper())
        return rows.filter(tenant__in=Tenant.objects.values("pk"))


@admin.register(Blueprint)
class BlueprintAdmin(OfFleet):
    noun, nouns = "Blueprint", "Blueprints"
    list_display = ["name", "type", "tenant", "updated_at"]
    list_filter = ["type"]
    list_select_related = ["tenant"]
    search_fields = ["name"]


@admin.register(User)
class UserAdmin(OfFleet):
    noun, nouns = "user", "users"
    list_display = ["name", "email", "active", "archived", "integration", "tenant"]
    list_filter = ["active", "archived"]
    list_select_related = ["integration", "tenant"]
    search_fields = ["name", "email"]


@admin.register(Tag)
class TagAdmin(OfFleet):
    noun, nouns = "tag", "tags"
    list_display = ["name", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["name"]


@admin.register(DeviceCommand)
class DeviceCommandAdmin(OfFleet):
    noun, nouns = "command", "commands"
    list_display = ["request_type", "device", "status", "requested_by", "date_requested", "tenant"]
    list_filter = ["status"]
    list_select_related = ["device", "tenant"]
    search_fields = ["request_type", "device__name", "requested_by"]


@admin.register(DeviceActivity)
class DeviceActivityAdmin(OfFleet):
    noun, nouns = "device activity", "device activity"
    list_display = ["action_type", "device", "created_at", "tenant"]
    list_select_related = ["device", "tenant"]
    search_fields = ["action_type", "device__name"]


@admin.register(DeviceNote)
class DeviceNoteAdmin(OfFleet):
    noun, nouns = "note", "notes"
    list_display = ["content", "device", "author", "updated_at", "tenant"]
    list_select_related = ["device", "tenant"]
    search_fields = ["content", "device__name", "author"]


@admin.register(DeviceSecret)
class DeviceSecretAdmin(OfFleet):
    """The stored secrets, without their values: only `read_secrets` returns one, and it writes an audit event."""

    noun, nouns = "device secret", "device secrets"
    list_display = ["kind", "device", "key_number", "updated_at", "tenant"]
    list_filter = ["kind", "key_number"]
    list_select_related = ["device", "tenant"]
    search_fields = ["device__name"]
    exclude = ["ciphertext"]


@admin.register(LostMode)
class LostModeAdmin(OfFleet):
    tenant_path = "device__tenant"
    noun, nouns = "Lost Mode", "Lost Mode"
    list_display = ["device", "status", "enabled_by", "enable_status_at"]
    list_select_related = ["device__tenant"]
    search_fields = ["device__name"]


@admin.register(LibraryItem)
class LibraryItemAdmin(OfFleet):
    noun, nouns = "Library item", "Library items"
    list_display = ["name", "type", "tenant"]
    list_filter = ["type"]
    list_select_related = ["tenant"]
    search_fields = ["name"]


@admin.register(DirectoryIntegration)
class DirectoryIntegrationAdmin(OfFleet):
    noun, nouns = "directory integration", "directory integrations"
    list_display = ["name", "type", "number", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["name"]


@admin.register(BlueprintRouting)
class BlueprintRoutingAdmin(OfFleet):
    noun, nouns = "Blueprint routing", "Blueprint routing"
    list_display = ["tenant", "enrollment_code_active"]
    list_select_related = ["tenant"]


@admin.register(RoutingActivity)
class RoutingActivityAdmin(OfFleet):
    noun, nouns = "routing activity", "routing activity"
    list_display = ["activity_type", "activity_time", "user_email", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["activity_type"]
