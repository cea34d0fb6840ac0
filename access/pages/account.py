"""A person's own account: two-step verification, and where they are signed in."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as passkeys
from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access.pages.browsers import described
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.forms.account import AppForm, ConfirmingPasskeyForm, PasskeyForm, named
from access.pages.forms.password import ReauthenticationForm
from access.pages.guards import PageRequest, signed_in
from access.pages.qr import picture
from access.pages.responses import ceremony, form_data, fragment, no_store
from access.sign_in import authenticators as services
from access.sign_in.attempts import Attempt, Purpose
from access.sign_in.reauthentication import authenticated_now, authenticated_recently
from access.sign_in.second_step import is_missing
from access.sign_in.sessions import SECOND_STEP, end_session, end_sessions, open_sessions, stored_key
from access.sign_in.throttle import counted
from access.sign_in.trail import log_session


@signed_in
@require_GET
def account(request: PageRequest) -> HttpResponse:
    context = {
        "authenticators": services.authenticators_of(request.user),
        "total_codes": services.RECOVERY_CODES,
        "sessions": [(each, described(each.browser)) for each in open_sessions(request.user)],
        "here": stored_key(request.session.session_key or ""),
        "must_set_up": is_missing(request),
    }
    return fragment(request, "access/account/page.html", "content", context)


@signed_in
@require_http_methods(["GET", "POST"])
def app(request: PageRequest) -> HttpResponse:
    form = AppForm(form_data(request), request=request, person=request.user)
    if form.is_valid():
        codes = services.add_app(person=request.user, secret=form.secret or b"", actor=request.actor)
        return _added(request, codes, "The authenticator app is set up.")
    context = {"form": form, "picture": picture(form.uri)}
    return fragment(request, "access/account/app.html", "form", context, status=422 if form.is_bound else 200)


@signed_in
@require_http_methods(["GET", "POST"])
def passkey(request: PageRequest) -> HttpResponse:
    """Ask who it is, if that was not proved recently; then let the browser make a passkey."""
    asked = ReauthenticationForm(request.POST if "password" in request.POST else None, request=request)
    if not authenticated_recently(request) and not asked.is_valid():
        about = "A passkey is kept by this device, a phone or a security key. It replaces the password."
        return show(request, Dialog("Add a passkey", "Continue", reverse("account"), about=about), asked)
    form = PasskeyForm(request.POST if "credential" in request.POST else None, user=request.user)
    if form.is_valid():
        name, credential = form.cleaned_data["name"], form.cleaned_data["credential"]
        codes = services.add_passkey(person=request.user, name=name, credential=credential, actor=request.actor)
        return _added(request, codes, f"{name} is added.")
    context = {"form": form, "ceremony": ceremony(passkeys.begin_registration(request.user, passwordless=True))}
    return fragment(request, "access/account/passkey.html", "form", context, status=422 if form.is_bound else 200)


@signed_in
@require_http_methods(["GET", "POST"])
def remove(request: PageRequest, authenticator_id: int) -> HttpResponse:
    row = get_object_or_404(Authenticator, user=request.user, pk=authenticator_id, type__in=services.SECOND_STEPS)
    form = ReauthenticationForm(form_data(request), request=request)
    if form.is_valid():
        try:
            services.remove_own(person=request.user, ids=[row.pk], actor=request.actor)
        except ValidationError as error:
            refuse(form, error)
        else:
            return _changed(request, f"{named(row)} is removed.")
    about = "You cannot sign in with it any more."
    if len(services.authenticators_of(request.user).removable) == 1:
        about += " It is your last second step: the recovery codes go too, and the password alone is enough to sign in."
    return show(request, Dialog(f"Remove {named(row)}?", "Remove", reverse("account"), about=about, danger=True), form)


@signed_in
@require_http_methods(["GET", "POST"])
def recovery_codes(request: PageRequest) -> HttpResponse:
    form = ReauthenticationForm(form_data(request), request=request)
    if form.is_valid():
        try:
            codes = services.replace_recovery_codes(person=request.user, actor=request.actor)
        except ValidationError as error:
            refuse(form, error)
        else:
            return _reveal(request, codes)
    about = "They are shown once. The codes that you have now stop working."
    return show(request, Dialog("Make new recovery codes?", "Make new codes", reverse("account"), about=about), form)


@signed_in
@require_http_methods(["GET", "POST"])
def confirm(request: PageRequest) -> HttpResponse:
    """The options for a passkey, and the passkey with which a person confirms a step in place of the password."""
    if request.method == "GET":
        if not Authenticator.objects.filter(user=request.user, type=Authenticator.Type.WEBAUTHN).exists():
            return JsonResponse({}, status=404)
        return JsonResponse(passkeys.begin_authentication(request.user))
    form = ConfirmingPasskeyForm(request.POST, user=request.user)
    attempt = Attempt(Purpose.CONFIRMATION, request.user.email, request.actor.address)
    if not counted(form.is_valid, attempt):
        return JsonResponse({"error": "This passkey was not accepted."}, status=422)
    form.save()
    authenticated_now(request)
    return HttpResponse(status=204)


@signed_in
@require_POST
def end_one_session(request: PageRequest, session_id: str) -> HttpResponse:
    end_session(request.user, session_id)
    log_session(request, request.user, "Another session signed out")
    return _changed(request, "That browser is signed out.")


@signed_in
@require_http_methods(["GET", "POST"])
def end_all_sessions(request: PageRequest) -> HttpResponse:
    """End every session of the person, this one too. No password is asked for: the person may be in a hurry."""
    if request.method == "POST":
        log_session(request, request.user, "Signed out everywhere")
        end_sessions(request.user)
        request.session.flush()
        return redirect("account_login")
    dialog = Dialog(
        "Sign out everywhere?",
        "Sign out everywhere",
        reverse("account"),
        about="Every browser that is signed in as you is signed out, this one too. API tokens stay active.",
        danger=True,
    )
    return show(request, dialog, forms.Form())


def _added(request: PageRequest, codes: list[str], notice: str) -> HttpResponse:
    """The first second step ends the sessions that began without one; this session has just proved to have it."""
    request.session[SECOND_STEP] = True
    if not codes:
        return _changed(request, notice)
    end_sessions(request.user, but=request.session.session_key)
    messages.success(request, f"{notice} From now on signing in takes two steps.")
    return _reveal(request, codes)


def _reveal(request: PageRequest, codes: list[str]) -> HttpResponse:
    context: dict[str, Any] = {"secret": "\n".join(codes), "mask": "\n".join(["•" * len(code) for code in codes])}
    return no_store(fragment(request, "access/account/codes.html", "step", context))


def _changed(request: PageRequest, notice: str) -> HttpResponse:
    return saved(request, reverse("account"), "account-changed", notice, in_place=True)
