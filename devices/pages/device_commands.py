"""Commands to a device, each with a dialog that names its consequence; and cancelling a failed Lost Mode."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, no_store
from access.roles import Capability
from devices.commands import COMMANDS, Command, CommandRefused
from devices.commands.queue import SentCommand, send_command
from devices.fleet import lost_mode
from devices.models import Device, Platform
from devices.pages.device_frame import own_device
from devices.pages.forms.device_commands import CommandForm
from devices.pages.forms.devices import name_of


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def send(request: PageRequest, device_id: UUID, action: str) -> HttpResponse:
    device = own_device(request, device_id)
    command = next((each for each in COMMANDS.values() if each.action == action), None)
    if command is None:
        raise Http404
    form = CommandForm(
        form_data(request), command=command, platforms={device.platform}, expected=name_of(device), request=request
    )
    if form.is_valid():
        try:
            sent = send_command(
                tenant=request.tenant, device_id=device_id, command=command, body=form.body, actor=request.actor
            )
        except CommandRefused as refusal:
            form.add_error(None, str(refusal))
        except ValidationError as error:
            refuse(form, error)
        else:
            if sent.pin:
                return _reveal_pin(request, device, sent)
            notice = f"{command.label} is queued for “{device.name}”."
            return saved(request, reverse("device-commands", args=[device_id]), "device-changed", notice)
    dialog = Dialog(
        f"{command.label}: {device.name}",
        command.label,
        reverse("device", args=[device_id]),
        about=_about(command, device),
        danger=command.dangerous,
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
    )
    return show(request, dialog, form)


def _about(command: Command[Any], device: Device) -> str:
    consequence = command.consequence_on(device.platform)
    if command.reveals_pin and device.platform == Platform.MAC:
        return f"{consequence} The PIN is shown after this step, and later under Secrets."
    return consequence


def _reveal_pin(request: PageRequest, device: Device, sent: SentCommand) -> HttpResponse:
    """The PIN of a locked Mac. No other page has it, it is not stored, and there is no redirect to it."""
    context = {"device": device, "pin": sent.pin}
    return no_store(render(request, "devices/pin.html#step" if request.htmx else "devices/pin.html", context))
