"""What is done to a device: each command behind a dialog that says what it will do; a failed lost mode forgotten."""

from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from access.audit.events import Actor
from access.pages.guards import PageRequest, requires
from access.pages.responses import no_store
from access.roles import Capability
from devices.commands import COMMANDS, CommandRefused
from devices.commands.queue import SentCommand, send_command
from devices.fleet import lost_mode
from devices.models import Device
from devices.pages.command_menu import LOOKS
from devices.pages.device_frame import own_device
from devices.pages.dialogs import Dialog, refuse, saved, show
from devices.pages.forms.device_commands import ActionForm

BY_ACTION = {command.action: command for command in COMMANDS.values()}


@sensitive_post_parameters("password", "PIN", "newPassword")
@sensitive_variables("form", "sent")
@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def send(request: PageRequest, device_id: UUID, action: str) -> HttpResponse:
    device = own_device(request, device_id)
    command = BY_ACTION.get(action)
    if command is None:
        raise Http404
    form = ActionForm(
        request.POST if request.method == "POST" else None, command=command, device=device, request=request
    )
    if form.is_bound and form.is_valid():
        try:
            sent = send_command(
                tenant=request.tenant,
                device_id=device_id,
                command=command,
                body=form.body,
                actor=Actor.of(request.user),
            )
        except Device.DoesNotExist:
            raise Http404 from None
        except CommandRefused as refusal:
            form.add_error(None, str(refusal))
        except ValidationError as error:
            refuse(form, error)
        else:
            if sent.pin:
                return _tell_pin(request, device, sent)
            notice = f"{command.label} is queued for “{device.name}”."
            return saved(request, reverse("device-commands", args=[device_id]), "device-changed", notice)
    look = LOOKS[command.id]
    dialog = Dialog(
        f"{command.label}: {device.name}",
        command.label,
        reverse("device", args=[device_id]),
        about=look.consequence_on(device.platform),
        danger=look.danger,
    )
    return show(request, dialog, form)


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def cancel_lost_mode(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    back = reverse("device", args=[device_id])
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_bound:
        try:
            lost_mode.cancel(tenant=request.tenant, device_id=device_id, actor=Actor.of(request.user))
        except Device.DoesNotExist:
            raise Http404 from None
        except lost_mode.LostModeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            return saved(request, back, "device-changed", f"Lost Mode of “{device.name}” is cancelled.")
    dialog = Dialog(
        f"Cancel Lost Mode: {device.name}",
        "Cancel Lost Mode",
        back,
        about="The failed attempt is forgotten here. Nothing is sent to the device.",
    )
    return show(request, dialog, form)


@sensitive_variables("sent", "context")
def _tell_pin(request: PageRequest, device: Device, sent: SentCommand) -> HttpResponse:
    """The one reply to the lock of a Mac that has its PIN. It is not redirected to, kept or repeated."""
    context = {"device": device, "pin": sent.pin}
    return no_store(render(request, "devices/pin.html#step" if request.htmx else "devices/pin.html", context))
