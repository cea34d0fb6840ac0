"""A token's page: its permissions, to look at and to change."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from access.models import ApiToken
from access.pages.forms.password import ReauthenticationForm
from access.pages.forms.permissions import Change, EditorFilter, PermissionsForm, editor
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data
from access.permissions import catalogue
from access.tokens import lifecycle as services

REDRAWS = {"apply", "fold", "review"}  # buttons that change what is in sight, and save nothing


@manages_access
@require_GET
def view(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    wanted = {permission.codename for permission in token.granted}
    sight = EditorFilter(request.GET, only_enabled=True)
    context = {"token": token, "tab": "permissions", "view": sight, "groups": editor(token, wanted, sight)}
    context["catalogue_size"] = len(catalogue)
    return render(request, "access/tokens/permissions.html", context)


@sensitive_post_parameters("password")
@manages_access
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    posted = form_data(request)
    form = PermissionsForm(posted, token=token)
    confirm = ReauthenticationForm(posted if posted and "password" in posted else None, request=request)
    asked, status = False, 200
    if posted is not None and not form.is_valid():
        status = 422
    elif posted is not None and not REDRAWS & posted.keys():
        if form.version_sent != token.version:
            # The two versions come first, and the password with the final answer. Nothing is saved on this way, or a
            # version yet to come would do without the password, once somebody else made it the current one.
            return _conflict(request, token, form.wanted)
        if form.wanted <= set(token.permissions) or not confirm.fields or confirm.is_valid():
            return _save(request, token, form)
        asked, status = True, 422
    sight = EditorFilter(posted or request.GET, only_enabled=False)
    context = {
        "token": token,
        "tab": "permissions",
        "editing": True,
        "view": sight,
        "form": form,
        "confirm": confirm if asked else None,
        "change": Change.between(token.permissions, form.wanted),
        "review": posted is not None and "review" in posted,
        "groups": editor(token, form.wanted, sight),
        "catalogue_size": len(catalogue),
    }
    return render(request, "access/tokens/permissions.html", context, status=status)


def _save(request: PageRequest, token: ApiToken, form: PermissionsForm) -> HttpResponse:
    try:
        saved = services.set_permissions(
            tenant=request.tenant,
            token_id=token.id,
            permissions=form.wanted,
            version=form.version_sent,
            actor=request.actor,
        )
    except services.EditConflict as conflict:
        return _conflict(request, conflict.current, form.wanted)
    messages.success(request, f"Saved. “{saved.name}” has {saved.granted_count} of {len(catalogue)} permissions.")
    return redirect("token", token.id)


def _conflict(request: PageRequest, current: ApiToken, wanted: set[str]) -> HttpResponse:
    """Somebody else saved first: show both versions, and let the second editor choose."""
    context = {
        "token": current,
        "theirs": current.granted,
        "yours": catalogue.known(wanted),
        "change": Change.between(current.permissions, wanted),
        "last": request.tenant.audit_events.about("api_token", current.id).first(),
    }
    return render(request, "access/tokens/conflict.html", context, status=409)
