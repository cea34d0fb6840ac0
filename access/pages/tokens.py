"""Access → API tokens: creating a token and showing its secret once, editing, revoking, activity."""

import uuid

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.addresses import client_address, parse, parse_network
from access.models import ApiToken
from access.pages.dialogs import opened_on, saved
from access.pages.forms.tokens import CreateTokenForm, EditTokenForm, RevokeTokenForm
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import close_dialog, form_data, fragment
from access.pages.token_life import reveal, revoked_by
from access.tokens import lifecycle as services

PER_PAGE = 50


@manages_access
@require_http_methods(["GET", "POST"])
def create(request: PageRequest) -> HttpResponse:
    form = CreateTokenForm(form_data(request), request=request, longest_days=request.tenant.longest_token_days)
    if form.is_valid():
        try:
            issued = services.create_token(
                tenant=request.tenant,
                name=form.cleaned_data["name"],
                description=form.cleaned_data["description"],
                expires_at=form.cleaned_data["expires_at"],
                networks=form.cleaned_data["networks"],
                permissions=form.cleaned_data.get("permissions", ()),
                submission=form.cleaned_data["submission"],
                mcp=form.cleaned_data["mcp"],
                mcp_sensitive=form.cleaned_data["mcp_sensitive"],
                actor=request.actor,
            )
        except services.AlreadySubmitted as earlier:
            return fragment(request, "access/tokens/create.html", "used", {"used": earlier.token}, status=409)
        except ValidationError as error:
            form.refuse(error)
        else:
            _warn_of_networks(request, form.cleaned_data["networks"])
            return reveal(request, issued)
    status = 422 if form.is_bound else 200
    return fragment(request, "access/tokens/create.html", "form", {"form": form}, status=status)


@manages_access
@require_GET
def created(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    """The step after the secret was shown: set the permissions now, or later."""
    return fragment(
        request,
        "access/tokens/created.html",
        "step",
        {"token": get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)},
    )


@manages_access
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    form = EditTokenForm.of(form_data(request), token, longest_days=request.tenant.longest_token_days)
    if form.is_valid():
        try:
            services.edit_token(tenant=request.tenant, token_id=token_id, actor=request.actor, **form.details)
        except services.EditConflict as conflict:
            return _conflict(request, conflict.current, form)
        except ValidationError as error:
            form.refuse(error)
        else:
            messages.success(request, "The details are saved.")
            _warn_of_networks(request, form.cleaned_data["networks"])
            return close_dialog("tokens-changed", refresh=True) if request.htmx else redirect("token", token_id)
    status = 422 if request.method == "POST" else 200
    return fragment(request, "access/tokens/edit.html", "form", {"form": form, "token": token}, status=status)


@manages_access
@require_http_methods(["GET", "POST"])
def revoke(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    form = RevokeTokenForm(form_data(request), token=token)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return fragment(request, "access/tokens/revoke.html", "form", {"token": token, "form": form}, status=status)
    services.revoke_token(tenant=request.tenant, token_id=token_id, actor=request.actor)
    notice = f"“{token.name}” is revoked. Calls with it are refused from now on."
    people = reverse("people")  # where a person who leaves is deleted
    back = people if opened_on(request) == people else reverse("tokens")
    return saved(request, back, "tokens-changed", notice, in_place=True)


@manages_access
@require_GET
def activity(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.with_people(), id=token_id)
    events = request.tenant.audit_events.about("api_token", token.id)
    page = Paginator(events, PER_PAGE).get_page(request.GET.get("page"))
    context = {"token": token, "tab": "activity", "page": page, "revoked_by": revoked_by(request, token)}
    return render(request, "access/tokens/activity.html", context)


def _conflict(request: PageRequest, current: ApiToken, sent: EditTokenForm) -> HttpResponse:
    """Show both versions to the second of two editors. The form has both together, and saves them when it is sent."""
    fields, both = sent.merged(current)
    last = request.tenant.audit_events.about("api_token", current.id).first()
    context = {
        "token": current,
        "form": EditTokenForm.of(None, current, longest_days=request.tenant.longest_token_days, **fields),
        "both": both,
        "last": last,
        "own": last is not None and last.actor_id == str(request.user.pk),
    }
    return fragment(request, "access/tokens/edit_conflict.html", "form", context, status=409)


def _warn_of_networks(request: PageRequest, networks: list[str]) -> None:
    """Say that calls from the person's own address will be refused, which is easily overlooked."""
    own = parse(client_address(request))
    if networks and not any(own in parse_network(each) for each in networks if own):
        messages.warning(request, f"Your own address {own or ''} is not in the allowed networks of this token.")
