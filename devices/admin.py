from django.contrib import admin

from access.admin import ReadOnly
from devices.models import Blueprint, Device, Tag, User


@admin.register(Device)
class DeviceAdmin(ReadOnly):
    list_display = ["name", "serial_number", "platform", "os_version", "blueprint", "user", "tenant", "last_check_in"]
    list_filter = ["platform", "is_missing", "is_removed"]
    list_select_related = ["blueprint", "user", "tenant"]
    search_fields = ["name", "serial_number", "user__email"]
    ordering = ["-id"]
    exclude = ["record"]


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
