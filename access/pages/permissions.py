"""The page of a token: its permissions, in view mode and in edit mode."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from access.models import ApiToken
from access.pages.forms.password import ReauthenticationForm
from access.pages.forms.permissions import Change, EditorFilter, PermissionsForm, editor
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data
from access.permissions import catalogue
from access.tokens import lifecycle as services

REDRAWS = {"apply", "fold", "review"}  # buttons that change only what the page shows


@manages_access
@require_GET
def view(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    granted = {permission.codename for permission in token.granted}
    filters = EditorFilter(request.GET, only_enabled=True)
    context = {"token": token, "tab": "permissions", "view": filters, "groups": editor(token, granted, filters)}
    context["catalogue_size"] = len(catalogue)
    return render(request, "access/tokens/permissions.html", context)


@manages_access
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    posted = form_data(request)
    form = PermissionsForm(posted, token=token)
    confirm = ReauthenticationForm(posted if posted and "password" in posted else None, request=request)
    ask_password, status = False, 200
    if posted is not None and not form.is_valid():
        status = 422
    elif posted is not None and not REDRAWS & posted.keys():
        if form.base_version != token.version:
            # The conflict is shown before the password is asked for, and nothing is saved on this path. Otherwise a
            # form with a future version number could be saved without the password.
            return _conflict(request, token, form.permissions)
        if form.permissions <= set(token.permissions) or not confirm.fields or confirm.is_valid():
            return _save(request, token, form)
        ask_password, status = True, 422
    filters = EditorFilter(posted or request.GET, only_enabled=False)
    context = {
        "token": token,
        "tab": "permissions",
        "editing": True,
        "view": filters,
        "form": form,
        "confirm": confirm if ask_password else None,
        "change": Change.between(token.permissions, form.permissions),
        "review": posted is not None and "review" in posted,
        "groups": editor(token, form.permissions, filters),
        "catalogue_size": len(catalogue),
    }
    return render(request, "access/tokens/permissions.html", context, status=status)


def _save(request: PageRequest, token: ApiToken, form: PermissionsForm) -> HttpResponse:
    try:
        saved = services.set_permissions(
            tenant=request.tenant,
            token_id=token.id,
            permissions=form.permissions,
            version=form.base_version,
            actor=request.actor,
        )
    except services.EditConflict as conflict:
        return _conflict(request, conflict.current, form.permissions)
    messages.success(request, f"Saved. “{saved.name}” has {saved.granted_count} of {len(catalogue)} permissions.")
    return redirect("token", token.id)


def _conflict(request: PageRequest, current: ApiToken, permissions: set[str]) -> HttpResponse:
    """Show both versions to the second of two editors, and let them choose."""
    context = {
        "token": current,
        "theirs": current.granted,
        "yours": catalogue.known(permissions),
        "change": Change.between(current.permissions, permissions),
        "last": request.tenant.audit_events.about("api_token", current.id).first(),
    }
    return render(request, "access/tokens/conflict.html", context, status=409)
