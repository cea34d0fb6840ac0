"""Settings → the certificate authority of the organization's devices, and its replacement."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db.models import Count, Max
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from access.models import Tenant
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.forms.password import ReauthenticationForm
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data
from devices.enrollment import authorities as services
from devices.models import Enrollment, MdmAuthority

ABOUT = (
    "From now on a new authority issues the certificates of devices that enroll or renew. Devices that are enrolled "
    "stay enrolled: they use their certificates until they renew them, within a year. To have a device renew at once, "
    "send it the command Renew MDM profile."
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate authority, the number of devices that use a certificate of it, and when the last of these ends."""

    row: MdmAuthority
    devices: int
    last_ends_at: datetime | None


def issuers(tenant: Tenant) -> list[Issuer]:
    """The authority that issues, then those that were replaced and have a certificate that a device still uses."""
    used = tenant.device_certificates.filter(
        enrollment__state__in=Enrollment.LIVE, revoked_at=None, superseded_at=None, not_after__gt=timezone.now()
    )
    counts = used.values("authority").annotate(devices=Count("enrollment", distinct=True), ends=Max("not_after"))
    numbers = {each["authority"]: (each["devices"], each["ends"]) for each in counts}
    rows = tenant.mdm_authorities.filter(purpose=MdmAuthority.Purpose.DEVICES).order_by("-pk")
    found = [Issuer(row, *numbers.get(row.pk, (0, None))) for row in rows]
    return [each for each in found if each.devices or each.row.retired_at is None]


@manages_access
@require_http_methods(["GET", "POST"])
def replace(request: PageRequest, authority_id: int) -> HttpResponse:
    rows = request.tenant.mdm_authorities.filter(purpose=MdmAuthority.Purpose.DEVICES)
    row = get_object_or_404(rows, pk=authority_id)
    form = ReauthenticationForm(form_data(request), request=request)
    page = reverse("push-certificate")
    if form.is_valid():
        try:
            fresh = services.replace(tenant=request.tenant, authority_id=row.pk, actor=request.actor)
        except ValidationError as error:
            refuse(form, error)
        else:
            notice = f"A new certificate authority issues certificates now, until {fresh.not_after:%Y-%m-%d}."
            return saved(request, page, "authority-changed", notice)
    devices = next((each.devices for each in issuers(request.tenant) if each.row == row), 0)
    facts = {"Valid until": f"{row.not_after:%Y-%m-%d}", "Used by": f"{devices:,} device{'' if devices == 1 else 's'}"}
    dialog = Dialog("Replace the certificate authority?", "Replace", page, about=ABOUT, facts=facts)
    return show(request, dialog, form)
