"""Read-only pages of the device tables in Django admin."""

from django.contrib import admin

from access.admin.base import ReadOnly
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


@admin.register(Device)
class DeviceAdmin(ReadOnly):
    list_display = ["name", "serial_number", "platform", "os_version", "blueprint", "user", "tenant", "last_check_in"]
    list_filter = ["platform", "is_missing", "is_removed"]
    list_select_related = ["blueprint", "user", "tenant"]
    search_fields = ["name", "serial_number", "user__email"]
    ordering = ["-id"]
    exclude = ["record_json"]


@admin.register(Blueprint)
class BlueprintAdmin(ReadOnly):
    list_display = ["name", "type", "tenant", "updated_at"]
    list_filter = ["type"]
    list_select_related = ["tenant"]
    search_fields = ["name"]
    ordering = ["-id"]


@admin.register(User)
class UserAdmin(ReadOnly):
    list_display = ["name", "email", "active", "archived", "integration", "tenant"]
    list_filter = ["active", "archived"]
    list_select_related = ["integration", "tenant"]
    search_fields = ["name", "email"]
    ordering = ["-id"]


@admin.register(Tag)
class TagAdmin(ReadOnly):
    list_display = ["name", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["name"]
    ordering = ["-id"]


@admin.register(DeviceCommand)
class DeviceCommandAdmin(ReadOnly):
    list_display = ["request_type", "device", "status", "requested_by", "date_requested", "tenant"]
    list_filter = ["status"]
    list_select_related = ["device", "tenant"]
    search_fields = ["request_type", "device__name", "requested_by"]
    ordering = ["-id"]


@admin.register(DeviceActivity)
class DeviceActivityAdmin(ReadOnly):
    list_display = ["action_type", "device", "created_at", "tenant"]
    list_select_related = ["device", "tenant"]
    search_fields = ["action_type", "device__name"]
    ordering = ["-id"]


@admin.register(DeviceNote)
class DeviceNoteAdmin(ReadOnly):
    list_display = ["content", "device", "author", "updated_at", "tenant"]
    list_select_related = ["device", "tenant"]
    search_fields = ["content", "device__name", "author"]
    ordering = ["-id"]


@admin.register(DeviceSecret)
class DeviceSecretAdmin(ReadOnly):
    """The stored secrets, without their values: only `read_secrets` returns one, and it writes an audit event."""

    list_display = ["kind", "device", "key_number", "updated_at", "tenant"]
    list_filter = ["kind", "key_number"]
    list_select_related = ["device", "tenant"]
    search_fields = ["device__name"]
    ordering = ["-id"]
    exclude = ["ciphertext"]


@admin.register(LostMode)
class LostModeAdmin(ReadOnly):
    list_display = ["device", "status", "enabled_by", "enable_status_at"]
    list_select_related = ["device"]
    search_fields = ["device__name"]
    ordering = ["-pk"]


@admin.register(LibraryItem)
class LibraryItemAdmin(ReadOnly):
    list_display = ["name", "type", "tenant"]
    list_filter = ["type"]
    list_select_related = ["tenant"]
    search_fields = ["name"]
    ordering = ["-id"]


@admin.register(DirectoryIntegration)
class DirectoryIntegrationAdmin(ReadOnly):
    list_display = ["name", "type", "number", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["name"]
    ordering = ["-id"]


@admin.register(BlueprintRouting)
class BlueprintRoutingAdmin(ReadOnly):
    list_display = ["tenant", "enrollment_code_active"]
    list_select_related = ["tenant"]
    ordering = ["pk"]


@admin.register(RoutingActivity)
class RoutingActivityAdmin(ReadOnly):
    list_display = ["activity_type", "activity_time", "user_email", "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["activity_type"]
    ordering = ["-id"]
