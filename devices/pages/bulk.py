"""Bulk actions on selected rows of a list: the dialogs that ask for the action, with the numbers of rows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, fragment
from access.pages.selection import Selection
from access.roles import Capability
from devices.bulk.actions import start_bulk_action
from devices.bulk.changes import Change, SendCommand, by_platform
from devices.commands import COMMANDS, Command
from devices.models import Platform
from devices.pages.command_menu import Group, grouped
from devices.pages.device_commands import carrier_link, carrier_warning
from devices.pages.forms.bulk import (
    AddTagForm,
    AssignBlueprintForm,
    AssignItemForm,
    AssignUserForm,
    BulkCommandForm,
    BulkForm,
    ChoiceForm,
    RemoveItemForm,
    RemoveTagForm,
    devices_in_words,
)
from devices.pages.forms.devices import PLATFORMS
from devices.pages.selection import selected_devices, selected_items

NOTHING = "Nothing is selected. Select rows in the list first."


@dataclass(frozen=True, slots=True)
class Offer:
    """A command for the selected devices, and the number of devices that support it."""

    command: Command[Any]
    count: int


@requires(Capability.ACT_ON_DEVICES)
@require_GET
def choose_command(request: PageRequest) -> HttpResponse:
    selection = selected_devices(request)
    platforms = by_platform(selection.targets)
    lost = any(platform in platforms for platform in (Platform.IPHONE, Platform.IPAD)) and (
        selection.targets.exclude(lost_mode_status="").exists()
    )
    counts = {id: sum(platforms.get(one, 0) for one in command.platforms) for id, command in COMMANDS.items()}
    offered = [each for each in COMMANDS.values() if counts[each.id] and (lost or not each.only_in_lost_mode)]
    context = {
        "groups": [_offers(group, counts) for group in grouped(offered)],
        "selection": selection,
        "warning": carrier_warning(request.tenant),
        "link": carrier_link(request.user),
        "selected": devices_in_words(sum(platforms.values())),
    }
    return fragment(request, "devices/bulk/choose_command.html", "choices", context)


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def send(request: PageRequest, action: str) -> HttpResponse:
    command = next((each for each in COMMANDS.values() if each.action == action), None)
    if command is None:
        raise Http404
    selection = selected_devices(request)
    platforms = by_platform(selection.targets)
    count = sum(platforms.values())
    form = BulkCommandForm(
        form_data(request),
        tenant=request.tenant,
        count=count,
        platforms=platforms.keys() & command.platforms,
        command=command,
        request=request,
    )
    dialog = Dialog(
        f"{command.title}: {devices_in_words(count)}",
        command.title,
        selection.back,
        about=_consequences(command, platforms),
        danger=command.dangerous,
        warning=carrier_warning(request.tenant),
        warning_link=carrier_link(request.user),
        facts=_platform_facts(platforms) | _skip_facts(SendCommand(request.tenant, command), selection, count),
    )
    return _ask(request, selection, form, dialog, count)


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def add_tag(request: PageRequest) -> HttpResponse:
    return _ask_for_devices(request, AddTagForm, "Add tag")


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def remove_tag(request: PageRequest) -> HttpResponse:
    return _ask_for_devices(request, RemoveTagForm, "Remove tag")


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def assign_blueprint(request: PageRequest) -> HttpResponse:
    return _ask_for_devices(request, AssignBlueprintForm, "Assign Blueprint")


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def assign_user(request: PageRequest) -> HttpResponse:
    return _ask_for_devices(request, AssignUserForm, "Assign user")


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def assign_items(request: PageRequest) -> HttpResponse:
    return _ask_for_items(request, AssignItemForm, "Assign to Blueprint")


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def remove_items(request: PageRequest) -> HttpResponse:
    return _ask_for_items(request, RemoveItemForm, "Remove from Blueprint")


def _ask_for_devices(request: PageRequest, form_class: type[ChoiceForm], label: str) -> HttpResponse:
    selection = selected_devices(request)
    platforms = by_platform(selection.targets)
    count = sum(platforms.values())
    form = form_class(form_data(request), tenant=request.tenant, count=count)
    dialog = Dialog(f"{label}: {devices_in_words(count)}", label, selection.back, facts=_platform_facts(platforms))
    return _ask(request, selection, form, dialog, count)


def _ask_for_items(request: PageRequest, form_class: type[ChoiceForm], label: str) -> HttpResponse:
    selection = selected_items(request)
    count = selection.targets.count()
    form = form_class(form_data(request), tenant=request.tenant, count=count)
    words = f"{count:,} item{'' if count == 1 else 's'}"
    return _ask(request, selection, form, Dialog(f"{label}: {words}", label, selection.back), count)


def _ask[T: Model](
    request: PageRequest, selection: Selection[T], form: BulkForm, dialog: Dialog, count: int
) -> HttpResponse:
    """Show the dialog, and start the action once its form is complete and confirmed."""
    if not count:
        return show(request, replace(dialog, submit="", about=NOTHING, facts={}), forms.Form())
    if form.is_valid():
        change = form.change()
        if form.needs_confirmation:
            facts = dialog.facts | _skip_facts(change, selection, count)
            title = f"{change.label}: {dialog.title.rpartition(': ')[2]}"
            return show(request, replace(dialog, title=title, facts=facts), form.confirmation(count))
        try:
            action = start_bulk_action(
                tenant=request.tenant,
                id=form.cleaned_data["id"],
                change=change,
                targets=selection.targets,
                selection=selection.words,
                at_most=form.cleaned_data["count"],
                actor=request.actor,
            )
        except ValidationError as error:
            form.refuse_once(count)
            refuse(form, error)
        else:
            url = reverse("bulk-action", args=[action.uuid])
            return saved(request, url, "bulk-changed", f"{action.label} is started.")
    return show(request, dialog, form)


def _consequences(command: Command[Any], platforms: Iterable[str]) -> str:
    """The consequences of the command. Families with the same text share one."""
    families: dict[str, list[str]] = {}
    for platform in platforms:
        if platform in command.platforms:
            families.setdefault(command.consequence_on(platform), []).append(PLATFORMS[platform])
    texts = [text if len(families) == 1 else f"{', '.join(names)}: {text}" for text, names in families.items()]
    if command.reveals_pin and Platform.MAC in platforms:
        texts.append("Each Mac gets a PIN of its own. Roles that may read secrets find it under Secrets.")
    return " ".join(texts)


def _platform_facts(platforms: dict[str, int]) -> dict[str, str]:
    return {"Platforms": ", ".join(f"{count:,} {PLATFORMS[platform]}" for platform, count in platforms.items())}


def _skip_facts[T: Model](change: Change[T], selection: Selection[T], count: int) -> dict[str, str]:
    skips = [skip for skip in change.expected_skips(selection.targets) if skip.number]
    rest = count - sum(skip.number for skip in skips)
    reasons = " ".join(f"{skip.number:,}: {skip.reason.rstrip('.')}." for skip in skips)
    return {"Changed": f"{rest:,}", **({"Skipped": reasons} if skips else {})}


def _offers(group: Group, counts: dict[str, int]) -> tuple[str, list[Offer]]:
    return group.name, [Offer(command, counts[command.id]) for command in group.commands]
