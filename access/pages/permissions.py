"""The page of a token: its permissions, in view mode and in edit mode."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from access.models import ApiToken
from access.pages.forms.password import ReauthenticationForm
from access.pages.forms.permissions import REDRAWS, Change, Editor, EditorFilter, PermissionsForm
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data, fragment
from access.pages.token_life import revoked_by
from access.permissions import catalogue
from access.presets import presets
from access.tokens import lifecycle as services
from access.tokens.learning import suggestions

MOST_SOURCES = 20  # tokens that the dialog for copying lists


@manages_access
@require_GET
def view(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.with_people(), id=token_id)
    granted = {permission.codename for permission in token.granted}
    filters = EditorFilter(request.GET, only_enabled=True)
    editor = Editor.of(granted, filters, stored=granted)
    context = {"token": token, "tab": "permissions", "view": filters, "editor": editor}
    context |= {"catalogue_size": len(catalogue), "revoked_by": revoked_by(request, token)}
    return render(request, "access/tokens/permissions.html", context)


@manages_access
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    posted = form_data(request)
    proposed = _proposed(token, request.GET.getlist("grant"))
    form = PermissionsForm(posted, token=token, proposed=_proposal(token, proposed, request.GET.getlist("remove")))
    confirm = ReauthenticationForm(posted if posted and "password" in posted else None, request=request)
    ask_password, status = False, 200
    if posted is not None and not form.is_valid():
        status = 422
    elif posted is not None and not REDRAWS & posted.keys():
        if form.base_version != token.version:
            # The conflict is shown before the password is asked for, and nothing is saved on this path. Otherwise a
            # form with a future version number could be saved without the password.
            return _conflict(request, token, form)
        if form.permissions <= set(token.permissions) or not confirm.fields or confirm.is_valid():
            return _save(request, token, form)
        ask_password, status = True, 422
    filters = EditorFilter(posted or request.GET, only_enabled=False)
    change = Change.between(form.base, form.permissions)
    context = {
        "token": token,
        "tab": "permissions",
        "editing": True,
        "view": filters,
        "form": form,
        "confirm": confirm if ask_password else None,
        "change": change,
        "review": (posted is not None and "review" in posted) or bool(posted is None and change),
        "editor": Editor.of(form.permissions, filters, stored=form.base, suggested=proposed),
        "presets": presets,
        "catalogue_size": len(catalogue),
    }
    return render(request, "access/tokens/permissions.html", context, status=status)


@manages_access
@require_GET
def copy(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    """Choose another token, whose permissions the editor then starts with."""
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    text = request.GET.get("q", "")[:100].strip()
    others = request.tenant.api_tokens.listed().exclude(id=token.id).exclude(permissions=[]).search(text)
    found = list(others[: MOST_SOURCES + 1])
    context = {"token": token, "text": text, "sources": found[:MOST_SOURCES], "more": len(found) > MOST_SOURCES}
    piece = "sources" if request.htmx.target == "sources" else "form"
    return fragment(request, "access/tokens/copy.html", piece, context)


def _proposed(token: ApiToken, asked: list[str]) -> set[str]:
    """The permissions that learn mode or the link suggests to grant.

    A sensitive one is among them only if a call was refused for it: a link can come from anybody.
    """
    learned = {permission.codename for permission in suggestions(token)}
    refused = set(token.uses.filter(operation__in=asked, denied__gt=0).values_list("operation", flat=True))
    linked = {each.codename for each in catalogue.known(asked) if not each.sensitive or each.codename in refused}
    return learned | linked


def _proposal(token: ApiToken, granted: set[str], removed: list[str]) -> set[str] | None:
    """The permissions of the token with those that a link proposes to grant or to remove; None without any."""
    if not granted and not removed:
        return None
    return ({permission.codename for permission in token.granted} | granted) - set(removed)


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
        form.token = conflict.current
        return _conflict(request, conflict.current, form)
    if saved.version == token.version:
        messages.info(request, "There was no change to save.")
    else:
        messages.success(request, f"Saved. “{saved.name}” has {saved.granted_count} of {len(catalogue)} permissions.")
    return redirect("token", token.id)


def _conflict(request: PageRequest, current: ApiToken, form: PermissionsForm) -> HttpResponse:
    """Show both versions to the second of two editors, and let them choose. The first choice keeps both changes."""
    stored, yours, both = form.stored, form.permissions, form.merged
    last = request.tenant.audit_events.about("api_token", current.id).first()
    own = last is not None and last.actor_id == str(request.user.pk)
    context = {
        "token": current,
        "theirs": current.granted,
        "yours": catalogue.known(yours),
        "both": catalogue.known(both),
        "was": " ".join(sorted(stored)),
        "change": Change.between(stored, yours),
        "both_change": Change.between(stored, both),
        "last": last,
        "own": own,
        "title": "You saved this token in another window" if own else "Somebody else changed this token",
    }
    return render(request, "access/tokens/conflict.html", context, status=409)
