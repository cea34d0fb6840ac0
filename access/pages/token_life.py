"""Dialogs of a token's life: a new secret and its one answer, disabling, enabling, and the rule for expiries."""

import json
import uuid

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from access.models import ApiToken, AuditEvent
from access.pages.dialogs import Dialog, opened_on, refuse, saved, show
from access.pages.forms.password import ReauthenticationForm
from access.pages.forms.tokens import ResponsibleForm, RotateTokenForm, TokenRuleForm
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data, fragment, no_store
from access.people.tenants import set_token_rule
from access.tokens import lifecycle, rotation
from access.tokens.responsible import assign_responsible

MASK = "••••••••-••••-••••-••••-••••••••••••"  # stands for a secret; reveal.js knows it


def reveal(request: PageRequest, issued: lifecycle.IssuedToken, *, rotated: bool = False) -> HttpResponse:
    """The only response that holds the secret. It is no redirect, and nothing stores or repeats it."""
    token = issued.token
    context = {"token": token, "secret": issued.secret, "mask": MASK, "rotated": rotated}
    if token.mcp:
        context["masked_configuration"] = _mcp_configuration(token, MASK)
        context["configuration"] = _mcp_configuration(token, issued.secret)
    piece = "access/tokens/reveal.html#step" if request.htmx else "access/tokens/reveal.html"
    response = no_store(render(request, piece, context))
    if request.htmx:
        response["HX-Trigger"] = "tokens-changed"
    return response


def _mcp_configuration(token: ApiToken, secret: str) -> str:
    """The text that an AI assistant is configured with, in the form that most of them read."""
    tenant = token.tenant
    server = {"type": "http", "url": tenant.mcp_url, "headers": {"Authorization": f"Bearer {secret}"}}
    return json.dumps({"mcpServers": {f"iru-{tenant.subdomain}": server}}, indent=2, ensure_ascii=False)


@manages_access
@require_http_methods(["GET", "POST"])
def rotate(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = _token(request, token_id)
    form = RotateTokenForm(form_data(request), request=request)
    if form.is_valid():
        try:
            issued = rotation.rotate_token(
                tenant=request.tenant,
                token_id=token_id,
                overlap=form.cleaned_data["overlap"],
                submission=form.cleaned_data["submission"],
                actor=request.actor,
            )
        except lifecycle.AlreadySubmitted as earlier:
            return fragment(request, "access/tokens/rotate.html", "used", {"used": earlier.token}, status=409)
        except ValidationError as error:
            refuse(form, error)
        else:
            return reveal(request, issued, rotated=True)
    status = 422 if form.is_bound else 200
    return fragment(request, "access/tokens/rotate.html", "form", {"form": form, "token": token}, status=status)


@manages_access
@require_http_methods(["GET", "POST"])
def end_overlap(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = _token(request, token_id)
    form = forms.Form(form_data(request))
    if form.is_valid():
        rotation.end_overlap(tenant=request.tenant, token_id=token_id, actor=request.actor)
        notice = f"The former secret of “{token.name}” is refused from now on."
        return saved(request, _page(token), "tokens-changed", notice, tabs=True)
    dialog = Dialog(
        "End the overlap?",
        "End overlap",
        _page(token),
        about="Calls with the former secret are refused from the moment you confirm. The new one goes on working.",
        danger=True,
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def disable(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = _token(request, token_id)
    form = forms.Form(form_data(request))
    if form.is_valid():
        lifecycle.disable_token(tenant=request.tenant, token_id=token_id, actor=request.actor)
        notice = f"“{token.name}” is disabled. Calls with it are refused until it is enabled."
        return changed(request, token, notice)
    dialog = Dialog(
        f"Disable “{token.name}”?",
        "Disable",
        _page(token),
        about="Calls with this token are refused until somebody enables it again. Nothing else changes.",
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def enable(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = _token(request, token_id)
    form = ReauthenticationForm(form_data(request), request=request)
    if form.is_valid():
        lifecycle.enable_token(tenant=request.tenant, token_id=token_id, actor=request.actor)
        notice = f"“{token.name}” is enabled. Calls with it work again."
        return changed(request, token, notice)
    dialog = Dialog(
        f"Enable “{token.name}”?",
        "Enable",
        _page(token),
        about=f"Calls with this token work again, with {token.granted_count} permissions.",
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def assign(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    """The person to ask about the token."""
    token = _token(request, token_id)
    form = ResponsibleForm(form_data(request), token=token)
    if form.is_valid():
        person = form.cleaned_data["person"]
        try:
            assign_responsible(
                tenant=request.tenant, token_id=token_id, person_id=person and person.pk, actor=request.actor
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            who = f"{person.name} is" if person else "Nobody is"
            return changed(request, token, f"{who} responsible for “{token.name}” now.")
    dialog = Dialog(
        "Assign a responsible person",
        "Save",
        _page(token),
        about="The person to ask about this token. The token itself stays as it is.",
        facts={"Token": token.name, "Created by": token.created_by_name},
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def rule(request: PageRequest) -> HttpResponse:
    """The rule of the organization for the expiry of its tokens."""
    present = {"longest_token_days": request.tenant.longest_token_days}
    form = TokenRuleForm(form_data(request), initial=present)
    if form.is_valid():
        try:
            set_token_rule(tenant=request.tenant, actor=request.actor, **form.cleaned_data)
        except ValidationError as error:
            refuse(form, error)
        else:
            days = form.cleaned_data["longest_token_days"]
            notice = f"New tokens expire within {days} days at most." if days else "Tokens may live without an expiry."
            return saved(request, reverse("tokens"), "tokens-changed", notice)
    dialog = Dialog(
        "Expiry of tokens",
        "Save",
        reverse("tokens"),
        about="Tokens that are created or edited from now on expire within so many days. Others stay as they are.",
    )
    return show(request, dialog, form)


def revoked_by(request: PageRequest, token: ApiToken) -> str:
    """The name of the person or program that revoked the token; empty for one that is not revoked."""
    if token.revoked_at is None:
        return ""
    ended = request.tenant.audit_events.about("api_token", token.id).filter(action=AuditEvent.Action.DELETE)
    return ended.values_list("actor_name", flat=True).first() or ""


def _token(request: PageRequest, token_id: uuid.UUID) -> ApiToken:
    token: ApiToken = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    return token


def _page(token: ApiToken) -> str:
    return reverse("token", args=[token.id])


def changed(request: PageRequest, token: ApiToken, notice: str) -> HttpResponse:
    """The answer to a change of a token: on the list where the dialog was opened, else on the page of the token."""
    for url in (reverse("tokens"), reverse("people")):
        if opened_on(request) == url:
            return saved(request, url, "tokens-changed", notice, in_place=True)
    return saved(request, _page(token), "tokens-changed", notice, tabs=True)
