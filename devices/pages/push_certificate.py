"""Settings → Apple push certificate: its state, the request for one, and the upload of what Apple made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access.http.bodies import takes_files
from access.models import Tenant
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data
from access.sealing import SecretUnreadable
from devices.enrollment import push_certificates as services
from devices.models import Enrollment, PushCertificate
from devices.pages.authorities import issuers
from devices.pages.forms.push_certificate import ImportForm, UploadForm, VendorForm
from devices.wire.push_certificates import LARGEST_FILE

SOON = timedelta(days=60)  # before its end, from which pages warn of it
FILES_BODY = 3 * LARGEST_FILE  # bytes: two files and the other fields
UNREADABLE = "The private key of the request cannot be read at the moment. Ask the operator of this server."


@dataclass(frozen=True, slots=True)
class Standing:
    """A tenant's push certificate, and how it is."""

    row: PushCertificate

    @property
    def state(self) -> str:
        """`none`, `refused`, `expired`, `soon` or `valid`."""
        now, ends = timezone.now(), self.row.not_after
        if not self.row.certificate or ends is None:
            return "none"
        if ends <= now:
            return "expired"
        if self.row.error:
            return "refused"
        return "soon" if ends <= now + SOON else "valid"

    @property
    def days_left(self) -> int:
        return max((self.row.not_after - timezone.now()).days, 0) if self.row.not_after else 0

    @property
    def warning(self) -> str:
        """What a person has to do something about; empty if there is nothing."""
        if self.row.simulated:
            return ""
        account = f" with the Apple account {self.row.apple_account}" if self.row.apple_account else ""
        match self.state:
            case "expired":
                day = f"{self.row.not_after:%Y-%m-%d}"
                return f"The Apple push certificate expired on {day}. No device is woken until it is renewed{account}."
            case "refused":
                return f"Apple refuses the push certificate, and no device can be woken: {self.row.error}"
            case "soon":
                days = self.days_left
                left = "in less than a day" if not days else f"in {days} day{'' if days == 1 else 's'}"
                return (
                    f"The Apple push certificate expires {left}. Renew it{account}: after that no device can be woken."
                )
        return ""


def standing(tenant: Tenant) -> Standing:
    return Standing(services.push_certificate(tenant))


@manages_access
@require_GET
def certificate(request: PageRequest) -> HttpResponse:
    found = standing(request.tenant)
    context = {
        "standing": found,
        "certificate": found.row,
        "issuers": issuers(request.tenant),
        "enrolled": request.tenant.enrollments.filter(state=Enrollment.State.ENROLLED).count(),
        "steps": found.state != "valid" or found.row.pending_request or "renew" in request.GET,
    }
    return render(request, "devices/push_certificate/page.html", context)


@manages_access
@require_POST
def make_request(request: PageRequest) -> HttpResponse:
    """The request as a file. One that waits is sent again, unless the form asks for a new one."""
    make = services.request_certificate if request.POST.get("new") == "1" else services.waiting_request
    pem = make(tenant=request.tenant, actor=request.actor)
    return _file(request, pem.encode(), "csr", "application/pkcs10")


@manages_access
@require_http_methods(["GET", "POST"])
@takes_files(FILES_BODY)
def sign(request: PageRequest) -> HttpResponse:
    """The request, signed by a vendor whose certificate and key a person has. A page: its answer is a file."""
    form = VendorForm(form_data(request), request.FILES or None)
    if form.is_valid():
        values = form.cleaned_data
        try:
            signed = services.signed_request(
                tenant=request.tenant,
                actor=request.actor,
                vendor=values["vendor"].read(),
                vendor_key=values["vendor_key"].read(),
                password=values["key_password"],
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _file(request, signed, "plist", "application/octet-stream")
    return render(request, "devices/push_certificate/sign.html", {"form": form}, status=422 if form.is_bound else 200)


@manages_access
@require_http_methods(["GET", "POST"])
@takes_files(FILES_BODY)
def upload(request: PageRequest) -> HttpResponse:
    form = _bound(request, UploadForm)
    dialog = Dialog("Upload the certificate", "Upload", reverse("push-certificate"))

    def save() -> PushCertificate:
        return services.upload_certificate(
            tenant=request.tenant,
            content=form.cleaned_data["file"].read(),
            apple_account=form.cleaned_data["apple_account"],
            actor=request.actor,
        )

    return _answer(request, dialog, form, save)


@manages_access
@require_http_methods(["GET", "POST"])
@takes_files(FILES_BODY)
def import_p12(request: PageRequest) -> HttpResponse:
    form = _bound(request, ImportForm)
    dialog = Dialog("Import a certificate with its key", "Import", reverse("push-certificate"))

    def save() -> PushCertificate:
        try:
            return services.import_certificate(
                tenant=request.tenant,
                content=form.cleaned_data["file"].read(),
                password=form.cleaned_data["file_password"],
                apple_account=form.cleaned_data["apple_account"],
                actor=request.actor,
            )
        except ValidationError as error:
            if wrong := error.message_dict.get("password"):  # here that name is the person's own password
                raise ValidationError({"file_password": wrong}) from None
            raise

    return _answer(request, dialog, form, save)


def _bound[F: UploadForm](request: PageRequest, form: type[F]) -> F:
    initial = {"apple_account": services.push_certificate(request.tenant).apple_account}
    return form(form_data(request), request.FILES or None, request=request, initial=initial)


def _answer(
    request: PageRequest, dialog: Dialog, form: UploadForm, save: Callable[[], PushCertificate]
) -> HttpResponse:
    """Store the certificate of a valid form. Show an invalid form again."""
    if form.is_valid():
        try:
            row = save()
        except ValidationError as error:
            refuse(form, error)
        except SecretUnreadable:
            form.add_error(None, UNREADABLE)
        else:
            notice = f"The push certificate is in use, until {row.not_after:%Y-%m-%d}."
            return saved(request, reverse("push-certificate"), "push-certificate-changed", notice)
    return show(request, dialog, form)


def _file(request: PageRequest, content: bytes, ending: str, content_type: str) -> HttpResponse:
    name = f"{request.tenant.subdomain}-push-certificate.{ending}"
    headers = {"Content-Disposition": f"attachment;filename={name}"}
    return HttpResponse(content, content_type=content_type, headers=headers)
