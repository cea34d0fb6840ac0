"""Commands to a device: each has a dialog that names its consequence. Waiting ones can be cancelled."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from access.models import Administrator, Tenant
from access.pages.dialogs import Dialog, DialogLink, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, no_store
from access.roles import Capability, may
from access.templatetags.access import relative
from devices.commands import COMMANDS, Command, CommandRefused
from devices.commands.carrier import carries_out_commands
from devices.commands.queue import SentCommand, cancel_command, send_command, waiting_command
from devices.fleet import lost_mode
from devices.inventory.accounts import account_names
from devices.models import Device, DeviceCommand, Platform
from devices.pages.command_menu import DIRECTIONS
from devices.pages.device_frame import own_device
from devices.pages.forms.device_commands import CommandForm
from devices.pages.forms.devices import name_of

NO_CARRIER = (
    "This server cannot reach devices yet. A command waits until it can, and you can cancel it as long as it waits."
)


def carrier_warning(tenant: Tenant) -> str:
    """What a person must know before a command is sent; empty where the server can reach devices."""
    return "" if carries_out_commands(tenant) else NO_CARRIER


def carrier_link(person: Administrator) -> DialogLink | None:
    """Where a person who may do something about it goes; shown beside the warning alone."""
    if not may(person, Capability.MANAGE_ACCESS):
        return None
    return DialogLink("Push certificate", reverse("push-certificate"))


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def send(request: PageRequest, device_id: UUID, action: str) -> HttpResponse:
    device = own_device(request, device_id)
    command = next((each for each in COMMANDS.values() if each.action == action), None)
    if command is None:
        raise Http404
    direction = request.GET.get("turn", "")
    direction = direction if direction in DIRECTIONS and command.switch else ""
    title = command.title_for(device, direction)
    if waiting := waiting_command(device, command):
        return _refuse_second(request, device, title, waiting)
    form = CommandForm(
        form_data(request),
        command=command,
        platforms={device.platform},
        expected=name_of(device),
        request=request,
        accounts=account_names(device),
        direction=direction,
        initial=command.initial_for(device),
    )
    if form.is_valid():
        try:
            sent = send_command(
                tenant=request.tenant, device_id=device_id, command=command, body=form.body, actor=request.actor
            )
        except CommandRefused as refusal:
            if refusal.waiting:  # it was sent since the dialog was opened
                return _refuse_second(request, device, title, refusal.waiting)
            form.add_error(None, str(refusal))
        except ValidationError as error:
            refuse(form, error)
        else:
            if sent.pin:
                return _reveal_pin(request, device, sent)
            notice = f"“{title}” waits for “{name_of(device)}” ({last_check_in(device)})."
            url = reverse("device-commands", args=[device_id])
            return saved(request, url, "device-changed", notice, level=messages.INFO)
    dialog = Dialog(
        f"{title}: {name_of(device)}",
        title,
        reverse("device", args=[device_id]),
        about=_about(command, device),
        danger=command.dangerous,
        warning=carrier_warning(request.tenant),
        warning_link=carrier_link(request.user),
        preview="devices/_lock_screen.html" if command.id == "enable_lost_mode" else "",
    )
    return show(request, dialog, form)


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def cancel(request: PageRequest, device_id: UUID, command_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    row = get_object_or_404(device.commands.exclude(command=""), uuid=command_id)
    title = COMMANDS[row.command].title_of(row) if row.command in COMMANDS else row.command_type
    back = reverse("device-commands", args=[device_id])
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            cancel_command(tenant=request.tenant, device_id=device_id, command_uuid=command_id, actor=request.actor)
        except CommandRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            return saved(request, back, "device-changed", f"“{title}” is cancelled. The device never receives it.")
    dialog = Dialog(
        f"Cancel “{title}”?",
        "Cancel command",
        back,
        about="The command is taken out of the queue, and the device never receives it.",
        facts={
            "Device": name_of(device),
            "Requested": f"{relative(row.date_requested, timezone.now())} by {row.requested_by}",
        },
        keep="Keep",
    )
    return show(request, dialog, form)


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def cancel_lost_mode(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    back = reverse("device", args=[device_id])
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            lost_mode.cancel(tenant=request.tenant, device_id=device_id, actor=request.actor)
        except lost_mode.LostModeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            return saved(request, back, "device-changed", f"Lost Mode of “{device.name}” is cancelled.")
    dialog = Dialog(
        f"Cancel Lost Mode: {device.name}",
        "Cancel Lost Mode",
        back,
        about="The failed attempt is removed from this page. Nothing is sent to the device.",
        keep="Keep",
    )
    return show(request, dialog, form)


def last_check_in(device: Device) -> str:
    """When the device came last, for a sentence."""
    if device.last_check_in is None:
        return "no check-in yet"
    return f"last check-in {relative(device.last_check_in, timezone.now())}"


def _refuse_second(request: PageRequest, device: Device, title: str, waiting: DeviceCommand) -> HttpResponse:
    """The dialog of a command that waits already, with the ways to look at it and to cancel it."""
    page = reverse("device-commands", args=[device.uuid])
    links = [DialogLink("View", f"{page}#command-{waiting.uuid}")]
    if waiting.cancellable:
        url = reverse("command-cancel", args=[device.uuid, waiting.uuid])
        links.append(DialogLink("Cancel command", url, dialog=True))
    form = forms.Form(form_data(request))
    if form.is_bound:
        form.add_error(None, "Nothing was sent: the same command waits already.")
    dialog = Dialog(
        f"{title}: {name_of(device)}",
        "",
        reverse("device", args=[device.uuid]),
        about=f"Already waiting since {_clock(waiting)}, requested by {waiting.requested_by}.",
        facts=dict(COMMANDS[waiting.command].parameters_in_words(waiting)),
        links=tuple(links),
    )
    return show(request, dialog, form)


def _clock(row: DeviceCommand) -> str:
    """The moment of the request in the person's time zone, with the date if it was on another day."""
    local, today = timezone.localtime(row.date_requested), timezone.localdate()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%b} {local.day}, {local:%H:%M}"


def _about(command: Command[Any], device: Device) -> str:
    consequence = command.consequence_on(device.platform)
    if command.reveals_pin and device.platform == Platform.MAC:
        return f"{consequence} The PIN is shown after this step, and later under Secrets."
    return consequence


def _reveal_pin(request: PageRequest, device: Device, sent: SentCommand) -> HttpResponse:
    """The PIN of a locked Mac. No other page has it, it is not stored, and there is no redirect to it."""
    context = {"device": device, "pin": sent.pin, "last_check_in": last_check_in(device)}
    return no_store(render(request, "devices/pin.html#step" if request.htmx else "devices/pin.html", context))
