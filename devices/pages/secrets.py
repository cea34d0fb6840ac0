"""The secrets of a device: the list of those that are stored, and the value of one on request."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from access.http.observing import note_cause
from access.pages.forms.password import ReauthenticationForm
from access.pages.guards import PageRequest, requires
from access.pages.responses import fragment, no_store
from access.roles import Capability
from access.sealing import SecretUnreadable
from devices.fleet.secrets import read_secrets
from devices.models import Device, DeviceSecret
from devices.pages.device_frame import about, own_device
from devices.pages.secret_kinds import kinds_of


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of secret. `form` asks for the password; `value` is set in the one response that shows it."""

    kind: DeviceSecret.Kind
    stored_at: datetime | None
    form: ReauthenticationForm | None = None
    value: str | None = None
    read: bool = False


@requires(Capability.READ_SECRETS)
@require_GET
def secrets(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    return render(request, "devices/secrets.html", about(request, device, "secrets", rows=_rows(device)))


@requires(Capability.READ_SECRETS)
@require_POST
def read(request: PageRequest, device_id: UUID, kind: str) -> HttpResponse:
    device = own_device(request, device_id)
    row = next((row for row in _rows(device) if row.kind == kind), None)
    if row is None:
        raise Http404
    form = ReauthenticationForm(request.POST if "password" in request.POST else None, request=request)
    if password := form.fields.get("password"):  # set before validation, because the form keeps its rendered fields
        password.help_text = "You gave it a while ago."
        password.widget.attrs["autofocus"] = True
    if password and not form.is_valid():
        return _page(request, device, Row(row.kind, row.stored_at, form=form), status=422)
    try:
        (value,) = read_secrets(tenant=request.tenant, device_id=device_id, kinds=[row.kind], actor=request.actor)
    except SecretUnreadable as refusal:
        note_cause(refusal)
        context = {
            "status": 503,
            "title": "This secret cannot be read at the moment",
            "advice": "Nothing was shown. The key that encrypted it is not available; your operator has been alerted.",
            "layout": "shell.html",
        }
        return render(request, "error.html", context, status=503)
    return no_store(_page(request, device, Row(row.kind, row.stored_at, value=value, read=True)), has_forms=True)


def _page(request: PageRequest, device: Device, row: Row, *, status: int = 200) -> HttpResponse:
    """Only this row for htmx, and all rows for a browser."""
    rows = [row if each.kind == row.kind else each for each in _rows(device)]
    context = about(request, device, "secrets", rows=rows, row=row)
    return fragment(request, "devices/secrets.html", "row", context, status=status)


def _rows(device: Device) -> list[Row]:
    stored_at = dict(device.secrets.filter(subject="").values_list("kind", "updated_at"))
    offered = kinds_of(device.platform)
    others = [kind for kind in DeviceSecret.Kind if kind in stored_at and kind not in offered]
    return [Row(kind, stored_at.get(kind)) for kind in (*offered, *others)]
