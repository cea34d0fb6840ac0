"""Automated Device Enrollment: the servers at Apple, their tokens, and the devices that Apple assigned to them."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access.http.bodies import takes_files
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, fragment, push_url
from access.roles import Capability
from devices.enrollment import ade as services
from devices.enrollment import ade_devices
from devices.enrollment.ade_keys import public_key
from devices.enrollment.server_tokens import LARGEST_FILE
from devices.models import AdeDevice, AdeIntegration, Device
from devices.pages.forms.ade import AdeDeviceFilter, AdeDeviceForm, DefaultsForm, ServerTokenForm
from devices.pages.forms.devices import TypeToConfirmForm
from devices.pages.listing import listing

TOKEN_BODY = 2 * LARGEST_FILE  # bytes: the file and the other fields
SOON = 30  # days before its end from which the page warns about a token


@dataclass(frozen=True, slots=True)
class Server:
    """An integration with the other values on its card."""

    integration: AdeIntegration
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def families(self) -> dict[str, int]:
        """The number of devices for each family name."""
        names = dict(AdeDevice.Family.choices)
        return {str(names.get(family, family)): count for family, count in self.counts.items()}

    @property
    def ends_soon(self) -> bool:
        return not self.integration.broken and self.integration.days_left <= SOON


@requires(Capability.VIEW)
@require_GET
def servers(request: PageRequest) -> HttpResponse:
    integrations = list(request.tenant.ade_integrations.select_related("blueprint").order_by("server_name", "pk"))
    counts = services.device_counts(integrations)
    rows = [Server(integration, counts[integration.pk]) for integration in integrations]
    return render(request, "devices/ade/list.html", {"servers": rows})


@requires(Capability.EDIT_BLUEPRINTS)
@require_GET
def download_public_key(request: PageRequest) -> HttpResponse:
    name = f"{request.tenant.subdomain}-device-enrollment.pem"
    return HttpResponse(
        public_key(tenant=request.tenant),
        content_type="application/x-x509-ca-cert",
        headers={"Content-Disposition": f"attachment;filename={name}"},
    )


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
@takes_files(TOKEN_BODY)
def create(request: PageRequest) -> HttpResponse:
    form = ServerTokenForm(form_data(request), request.FILES or None, tenant=request.tenant)
    dialog = Dialog(
        "Add a server",
        "Add server",
        reverse("ade"),
        about="Upload the public key of this organization to a device management service in Apple Business Manager "
        "first, and download its server token there.",
    )

    def save() -> str:
        integration = services.create_integration(
            tenant=request.tenant,
            content=form.cleaned_data["file"].read(),
            defaults=form.defaults(),
            actor=request.actor,
        )
        return f"“{integration.server_name}” is added. Its devices are being fetched."

    return _answer(request, dialog, form, save)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
@takes_files(TOKEN_BODY)
def renew(request: PageRequest, ade_token_id: UUID) -> HttpResponse:
    integration = _own(request, ade_token_id)
    form = ServerTokenForm(form_data(request), request.FILES or None, tenant=request.tenant, integration=integration)
    dialog = Dialog(
        f"Renew “{integration.server_name}”",
        "Renew",
        reverse("ade"),
        about="Download a new token of the same server. The current one stops working when Apple makes the new one.",
    )

    def save() -> str:
        services.renew_integration(
            tenant=request.tenant,
            integration_id=ade_token_id,
            content=form.cleaned_data["file"].read(),
            defaults=form.defaults(),
            actor=request.actor,
        )
        return f"“{integration.server_name}” is renewed."

    return _answer(request, dialog, form, save)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, ade_token_id: UUID) -> HttpResponse:
    integration = _own(request, ade_token_id)
    form = DefaultsForm(form_data(request), tenant=request.tenant, integration=integration)

    def save() -> str:
        services.update_integration(
            tenant=request.tenant, integration_id=ade_token_id, defaults=form.defaults(), actor=request.actor
        )
        return "Saved."

    return _answer(request, Dialog(f"Edit “{integration.server_name}”", "Save", reverse("ade")), form, save)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, ade_token_id: UUID) -> HttpResponse:
    integration = _own(request, ade_token_id)
    count = integration.devices.count()
    expected = integration.server_name if count else ""  # confirmed by typing only if device records are deleted too
    form = TypeToConfirmForm(form_data(request), expected=expected)
    records = "It has no devices."
    if count:
        records = f"The records of {count:,} device{'' if count == 1 else 's'} go with it, with their assignments."
    dialog = Dialog(
        f"Delete “{integration.server_name}”?",
        "Delete server",
        reverse("ade"),
        about=f"{records} Devices that are enrolled stay enrolled until they are erased. Nothing changes at Apple. "
        "This cannot be undone.",
        danger=True,
    )

    def save() -> str:
        services.delete_integration(tenant=request.tenant, integration_id=ade_token_id, actor=request.actor)
        return f"“{integration.server_name}” is deleted."

    return _answer(request, dialog, form, save)


@requires(Capability.EDIT_BLUEPRINTS)
@require_POST
def sync(request: PageRequest, ade_token_id: UUID) -> HttpResponse:
    integration = services.request_sync(tenant=request.tenant, integration_id=ade_token_id, actor=request.actor)
    notice = f"“{integration.server_name}” is being synced. Load the page again in a moment."
    return saved(request, reverse("ade"), "ade-changed", notice)


@requires(Capability.VIEW)
@require_GET
def device_list(request: PageRequest) -> HttpResponse:
    filters = AdeDeviceFilter(request.GET, tenant=request.tenant)
    page = listing(filters.apply(), request.tenant.ade_devices.complete(), request.GET.get("page"))
    known = ade_devices.enrolled(tenant=request.tenant, ade_devices=page.object_list)
    context = {
        "page": page,
        "ade_rows": [Row(device, known.get(device.serial_number.upper())) for device in page.object_list],
        "filters": filters,
        "query": urlencode(filters.chosen),
        "any_device": page.total > 0 or request.tenant.ade_devices.exists(),
    }
    response = fragment(request, "devices/ade/devices.html", "rows", context)
    return push_url(response, request, filters.chosen, page.number)


@dataclass(frozen=True, slots=True)
class Row:
    """An ADE device, and the enrolled device that it became."""

    device: AdeDevice
    enrolled: Device | None


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def edit_device(request: PageRequest, ade_device_id: UUID) -> HttpResponse:
    device = get_object_or_404(request.tenant.ade_devices.complete(), uuid=ade_device_id)
    form = AdeDeviceForm(form_data(request), device=device)
    dialog = Dialog(
        f"Edit {device.serial_number}",
        "Save",
        reverse("ade-devices"),
        about="The device gets this when it enrolls the next time. Nothing changes on a device that is enrolled.",
    )

    def save() -> str:
        ade_devices.update_ade_device(
            tenant=request.tenant, ade_device_id=ade_device_id, actor=request.actor, **form.changes()
        )
        return "Saved."

    return _answer(request, dialog, form, save, url=reverse("ade-devices"))


def _own(request: PageRequest, ade_token_id: UUID) -> AdeIntegration:
    integrations = request.tenant.ade_integrations.select_related("blueprint")
    return get_object_or_404(integrations, uuid=ade_token_id)


def _answer(
    request: PageRequest, dialog: Dialog, form: forms.Form, save: Callable[[], str], *, url: str = ""
) -> HttpResponse:
    """Save a valid form, and show the notice that `save` returns. Show an invalid form again."""
    if form.is_valid():
        try:
            notice = save()
        except ValidationError as error:
            refuse(form, error)
        except services.AppleAway as error:
            form.add_error(None, str(error))
        else:
            return saved(request, url or reverse("ade"), "ade-changed", notice)
    return show(request, dialog, form)
