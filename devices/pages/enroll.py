"""The portal: people who are not signed in get the profile that enrolls their device, by a link or by a code."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from access import attempts
from access.addresses import client_address, network
from access.attempts import BeyondLimit
from access.audit.security import SecurityEvent, report
from access.http.errors import too_many_attempts
from access.pages.forms.asking import Form
from access.pages.responses import form_data, no_store
from access.sign_in.attempts import TooManyAttempts
from devices.enrollment import links
from devices.enrollment.profiles import NoPushCertificate, enrollment_profile, push_certificate

ATTEMPTS = 10  # wrong codes of one network within the window of access.attempts
PROFILE = "application/x-apple-aspen-config"


class CodeForm(Form):
    organization = forms.CharField(
        max_length=63,
        help_text="Its short name, such as accuhive.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}),
    )
    code = forms.CharField(
        label="Enrollment code",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def clean_organization(self) -> str:
        return str(self.cleaned_data["organization"]).lower()


@require_http_methods(["GET", "POST"])
def enter_code(request: HttpRequest) -> HttpResponse:
    """Ask for the organization and the code, and lead to the page of the profile."""
    form = CodeForm(form_data(request))
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return no_store(render(request, "devices/enroll/code.html", {"form": form}, status=status), has_forms=True)
    address = client_address(request)
    try:
        counted = attempts.count([attempts.key_of("enrollment", network(address))], ATTEMPTS)
    except BeyondLimit as beyond:
        report(SecurityEvent.ENROLLMENT_REFUSED, address, limit="address")
        return no_store(too_many_attempts(request, TooManyAttempts(beyond.wait)))
    entered = form.cleaned_data
    owner = links.owner_of_code(subdomain=entered["organization"], code=entered["code"])
    if owner is None:
        return _refuse(request)
    attempts.forget(counted)
    return no_store(redirect("enroll-link", links.pass_key(owner)))


@require_GET
def link(request: HttpRequest, key: str) -> HttpResponse:
    """The page of the profile. It names the organization, and nothing else of it."""
    owner = links.owner_of_key(key)
    if owner is None:
        return _refuse(request)
    try:
        push_certificate(owner.tenant)
    except NoPushCertificate:
        return _not_ready(request, owner)
    return no_store(render(request, "devices/enroll/profile.html", {"tenant": owner.tenant, "key": key}))


@require_GET
def download(request: HttpRequest, key: str) -> HttpResponse:
    owner = links.owner_of_key(key)
    if owner is None:
        return _refuse(request)
    try:
        profile = enrollment_profile(owner)
    except NoPushCertificate:
        return _not_ready(request, owner)
    return profile_file(profile)


def profile_file(profile: bytes) -> HttpResponse:
    """The answer that a browser on an Apple device offers to install."""
    headers = {"Content-Disposition": 'attachment; filename="enrollment.mobileconfig"'}
    return no_store(HttpResponse(profile, content_type=PROFILE, headers=headers))


def _refuse(request: HttpRequest) -> HttpResponse:
    """The same answer whatever is wrong: it says nothing about which organizations and codes there are."""
    report(SecurityEvent.ENROLLMENT_REFUSED, client_address(request))
    return no_store(render(request, "devices/enroll/refused.html", status=404))


def _not_ready(request: HttpRequest, owner: links.Owner) -> HttpResponse:
    return no_store(render(request, "devices/enroll/profile.html", {"tenant": owner.tenant}, status=409))
