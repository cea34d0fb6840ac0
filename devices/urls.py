"""The pages of the device side, and their entries in the navigation."""

from django.urls import path

from access.audit.subjects import subjects
from access.http.jump import sources
from access.http.navigation import Item, navigation
from access.models import Administrator
from devices.pages import (
    ade,
    blueprints,
    bulk,
    bulk_actions,
    device_commands,
    devices,
    exports,
    jump,
    library,
    library_apps,
    library_editing,
    notes,
    overview,
    prism,
    reference,
    secrets,
    users,
    vulnerabilities,
)


def belongs_to_a_tenant(person: Administrator) -> bool:
    return person.tenant_id is not None


# Before the entries of other apps: these are the main pages.
navigation[:0] = [
    Item("Overview", "layout-dashboard", "overview", belongs_to_a_tenant),
    Item("Devices", "monitor", "devices", belongs_to_a_tenant),
    Item("Blueprints", "layout-grid", "blueprints", belongs_to_a_tenant),
    Item("Library", "library", "library", belongs_to_a_tenant),
    Item("Prism", "table-properties", "prism", belongs_to_a_tenant),
    Item("Vulnerabilities", "shield-alert", "vulnerabilities", belongs_to_a_tenant),
    Item("Users", "users", "users", belongs_to_a_tenant),
]
navigation += [
    Item("Activity", "activity", "activity", belongs_to_a_tenant),
    Item("API reference", "code-xml", "reference", belongs_to_a_tenant),
]
# Behind the pages, and before the objects of other apps: these are looked for most often.
sources[1:1] = jump.SOURCES
subjects.update(
    {
        "ade_device": "Enrollment device",
        "ade_integration": "Device enrollment",
        "ade_key_pair": "Device enrollment key",
        "blueprint": "Blueprint",
        "blueprint_routing": "Blueprint routing",
        "bulk_action": "Bulk action",
        "device": "Device",
        "library_item": "Library item",
        "prism_export": "Prism export",
        "tag": "Tag",
    }
)

urlpatterns = [
    path("overview/", overview.overview, name="overview"),
    path("devices/", devices.device_list, name="devices"),
    path("devices/export/", exports.devices, name="devices-export"),
    path("devices/bulk/", bulk_actions.action_list, name="bulk-actions"),
    path("devices/bulk/commands/", bulk.choose_command, name="bulk-commands"),
    path("devices/bulk/commands/<slug:action>/", bulk.send, name="bulk-command"),
    path("devices/bulk/tags/add/", bulk.add_tag, name="bulk-tag-add"),
    path("devices/bulk/tags/remove/", bulk.remove_tag, name="bulk-tag-remove"),
    path("devices/bulk/blueprint/", bulk.assign_blueprint, name="bulk-blueprint"),
    path("devices/bulk/user/", bulk.assign_user, name="bulk-user"),
    path("devices/bulk/<uuid:bulk_action_id>/", bulk_actions.action_page, name="bulk-action"),
    path("devices/bulk/<uuid:bulk_action_id>/stop/", bulk_actions.stop, name="bulk-stop"),
    path("devices/bulk/<uuid:bulk_action_id>/results/", bulk_actions.results, name="bulk-results"),
    path("devices/<uuid:device_id>/", devices.device_page, name="device"),
    path("devices/<uuid:device_id>/apps/", devices.apps, name="device-apps"),
    path("devices/<uuid:device_id>/commands/", devices.commands, name="device-commands"),
    path("devices/<uuid:device_id>/activity/", devices.activity, name="device-activity"),
    path("devices/<uuid:device_id>/security/", vulnerabilities.device_security, name="device-security"),
    path("devices/<uuid:device_id>/edit/", devices.edit, name="device-edit"),
    path("devices/<uuid:device_id>/delete/", devices.delete, name="device-delete"),
    path("devices/<uuid:device_id>/notes/", notes.notes, name="device-notes"),
    path("devices/<uuid:device_id>/notes/new/", notes.create, name="note-create"),
    path("devices/<uuid:device_id>/notes/<uuid:note_id>/edit/", notes.edit, name="note-edit"),
    path("devices/<uuid:device_id>/notes/<uuid:note_id>/delete/", notes.delete, name="note-delete"),
    path("devices/<uuid:device_id>/secrets/", secrets.secrets, name="device-secrets"),
    path("devices/<uuid:device_id>/secrets/<slug:kind>/", secrets.read, name="device-secret"),
    path("devices/<uuid:device_id>/actions/<slug:action>/", device_commands.send, name="device-action"),
    path("devices/<uuid:device_id>/commands/<uuid:command_id>/cancel/", device_commands.cancel, name="command-cancel"),
    path("devices/<uuid:device_id>/lost-mode/cancel/", device_commands.cancel_lost_mode, name="lost-mode-cancel"),
    path("blueprints/", blueprints.blueprint_list, name="blueprints"),
    path("blueprints/new/", blueprints.create, name="blueprint-create"),
    path("blueprints/ade/", ade.servers, name="ade"),
    path("blueprints/ade/public-key/", ade.download_public_key, name="ade-public-key"),
    path("blueprints/ade/new/", ade.create, name="ade-create"),
    path("blueprints/ade/devices/", ade.device_list, name="ade-devices"),
    path("blueprints/ade/devices/<uuid:ade_device_id>/edit/", ade.edit_device, name="ade-device-edit"),
    path("blueprints/ade/<uuid:ade_token_id>/renew/", ade.renew, name="ade-renew"),
    path("blueprints/ade/<uuid:ade_token_id>/edit/", ade.edit, name="ade-edit"),
    path("blueprints/ade/<uuid:ade_token_id>/delete/", ade.delete, name="ade-delete"),
    path("blueprints/ade/<uuid:ade_token_id>/sync/", ade.sync, name="ade-sync"),
    path("blueprints/<uuid:blueprint_id>/", blueprints.blueprint_page, name="blueprint"),
    path("blueprints/<uuid:blueprint_id>/edit/", blueprints.edit, name="blueprint-edit"),
    path("blueprints/<uuid:blueprint_id>/delete/", blueprints.delete, name="blueprint-delete"),
    path("blueprints/<uuid:blueprint_id>/library/assign/", blueprints.assign, name="blueprint-assign"),
    path(
        "blueprints/<uuid:blueprint_id>/library/<int:assignment_id>/remove/", blueprints.remove, name="blueprint-remove"
    ),
    path("library/", library.item_list, name="library"),
    path("library/export/", exports.library, name="library-export"),
    path("library/bulk/assign/", bulk.assign_items, name="bulk-items-assign"),
    path("library/bulk/remove/", bulk.remove_items, name="bulk-items-remove"),
    path("library/scripts/new/", library_editing.create_script, name="script-create"),
    path("library/profiles/new/", library_editing.create_profile, name="profile-create"),
    path("library/apps/custom/new/", library_apps.create_custom_app, name="custom-app-create"),
    path("library/apps/custom/upload/", library_apps.reserve_custom_app, name="custom-app-upload"),
    path("library/apps/in-house/new/", library_apps.create_ipa_app, name="ipa-app-create"),
    path("library/apps/in-house/upload/", library_apps.reserve_ipa_app, name="ipa-app-upload"),
    path("library/<uuid:item_id>/", library.item_page, name="library-item"),
    path("library/<uuid:item_id>/devices/", library.item_devices, name="library-item-devices"),
    path("library/<uuid:item_id>/activity/", library.item_activity, name="library-item-activity"),
    path("library/<uuid:item_id>/profile/", library.download_profile, name="profile-download"),
    path("library/<uuid:item_id>/file/", library_apps.download, name="app-download"),
    path("library/<uuid:item_id>/icon/", library.icon, name="app-icon"),
    path("library/apps/custom/<uuid:item_id>/edit/", library_apps.edit_custom_app, name="custom-app-edit"),
    path("library/apps/in-house/<uuid:item_id>/edit/", library_apps.edit_ipa_app, name="ipa-app-edit"),
    path("library/<uuid:item_id>/edit/", library_editing.edit, name="library-item-edit"),
    path("library/<uuid:item_id>/delete/", library_editing.delete, name="library-item-delete"),
    path("prism/", prism.index, name="prism"),
    path("prism/exports/", prism.exports, name="prism-exports"),
    path("prism/<slug:category>/", prism.category_page, name="prism-category"),
    path("prism/<slug:category>/export/", prism.export, name="prism-export"),
    path("vulnerabilities/", vulnerabilities.vulnerability_list, name="vulnerabilities"),
    path("vulnerabilities/<str:cve_id>/", vulnerabilities.vulnerability_page, name="vulnerability"),
    path("users/", users.user_list, name="users"),
    path("users/export/", exports.users, name="users-export"),
    path("users/options/", users.options, name="user-options"),
    path("users/<uuid:user_id>/", users.user_page, name="user"),
    path("users/<uuid:user_id>/edit/", users.edit, name="user-edit"),
    path("users/<uuid:user_id>/delete/", users.delete, name="user-delete"),
    path("api-reference/", reference.reference, name="reference"),
    path("api-reference/changes/", reference.changes, name="reference-changes"),
    path("api-reference/openapi.json", reference.download, name="reference-download"),
    path("api-reference/<slug:operation_id>/", reference.operation, name="reference-operation"),
    path("api-reference/<slug:operation_id>/answer/", reference.answer, name="reference-answer"),
    path("api-reference/<slug:operation_id>/try/", reference.attempt, name="reference-try"),
]
