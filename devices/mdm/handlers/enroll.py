"""POST /enroll: Setup Assistant of a device that Apple has assigned to the tenant asks for its enrollment profile."""

from django.http import HttpRequest, HttpResponse

from access.addresses import client_address
from access.models import Tenant
from devices.mdm.automatic import profile_for


def answer(request: HttpRequest, label: str, body: bytes) -> HttpResponse:
    tenant = Tenant.objects.filter(mdm_label=label, active=True).first()
    if tenant is None:
        return HttpResponse(status=404)
    profile = profile_for(tenant, body, address=client_address(request))
    return HttpResponse(profile, content_type="application/x-apple-aspen-config")
