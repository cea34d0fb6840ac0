"""GET and POST /scep."""

from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest, HttpResponse

from access.addresses import client_address
from access.models import Tenant
from devices.enrollment.authorities import Purpose, authority
from devices.mdm.certificates import answer_request
from devices.mdm.refusals import MdmRefused
from devices.wire import scep
from devices.wire.errors import Malformed

# Without a line for a SHA, iOS refuses the authority.
CAPABILITIES = "POSTPKIOperation\nSHA-1\nSHA-256\nSHA-512\nAES\nDES3\nSCEPStandard\nRenewal"


def answer(request: HttpRequest, label: str, body: bytes) -> HttpResponse:
    tenant = Tenant.objects.filter(mdm_label=label, active=True).first()
    if tenant is None:
        return HttpResponse(status=404)
    match request.GET.get("operation"):
        case "GetCACaps":
            return HttpResponse(CAPABILITIES, content_type="text/plain")
        case "GetCACert":
            certificate = authority(tenant, Purpose.DEVICES).certificate
            return HttpResponse(certificate.public_bytes(Encoding.DER), content_type="application/x-x509-ca-cert")
        case "PKIOperation":
            if request.method == "GET":
                try:
                    body = scep.message_of(request.GET.get("message", ""))
                except Malformed as error:
                    raise MdmRefused(f"The SCEP request cannot be read: {error}") from None
            reply = answer_request(tenant, body, address=client_address(request))
            return HttpResponse(reply, content_type="application/x-pki-message")
    raise MdmRefused("The SCEP operation is unknown.")
