"""Access → API tokens: the list, its rows as CSV, and disabling and revoking selected tokens."""

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_http_methods

from access.models import ApiToken
from access.pages.dialogs import Dialog, saved, show
from access.pages.exports import csv_response, pages_of
from access.pages.forms.token_list import SelectedTokensForm, TokenFilter
from access.pages.guards import PageRequest, manages_access
from access.pages.paging import KeysFirstPaginator
from access.pages.responses import form_data, fragment, push_url
from access.pages.selection import Selection, selection_of
from access.permissions import catalogue
from access.tokens import selected

PER_PAGE = 50
NAMED = 5  # tokens that a dialog names; it counts the others
# Header of each column, and the attribute of a token.
COLUMNS = {
    "Name": "name",
    "Token ID": "id",
    "Description": "description",
    "State": "state",
    "Permissions": "permissions",
    "Networks": "networks",
    "Created by": "created_by_name",
    "Creator removed": "creator_removed",
    "Created": "created_at",
    "Last used": "last_used_at",
    "Last used from": "last_used_from",
    "Last used for": "last_used_for",
    "Expires": "expires_at",
    "Revoked": "revoked_at",
}


@manages_access
@require_GET
def token_list(request: PageRequest) -> HttpResponse:
    filters = TokenFilter(request.GET, tenant=request.tenant)
    page = KeysFirstPaginator(filters.apply(), PER_PAGE).get_page(request.GET.get("page"))
    piece = "rows" if request.htmx.target == "rows" else "content"
    context = {
        "page": page,
        "filters": filters,
        "query": urlencode(filters.chosen),
        "selectable": filters.chosen.get("state") != "revoked",
        "all_selected": request.GET.get("select") == "all",
        "any_token": page.paginator.count > 0 or request.tenant.api_tokens.exists(),
        "catalogue_size": len(catalogue),
    }
    if piece == "content":
        ending = request.tenant.api_tokens.ending()
        first = ending.first()
        context |= {"fresh": _fresh(request), "ending": first, "ending_count": ending.count() if first else 0}
    response = fragment(request, "access/tokens/list.html", piece, context)
    return push_url(response, request, filters.chosen, page.number)


@manages_access
@require_GET
def export(request: PageRequest) -> StreamingHttpResponse:
    tokens = TokenFilter(request.GET, tenant=request.tenant).apply()
    return csv_response(
        request, "api-tokens", tuple(COLUMNS), ([_cells(token) for token in page] for page in pages_of(tokens))
    )


@manages_access
@require_http_methods(["GET", "POST"])
def disable(request: PageRequest) -> HttpResponse:
    selection = _selected(request)
    return _ask(
        request,
        selection,
        Dialog(
            "Disable {}?",
            "Disable",
            selection.back,
            about="Calls with these tokens are refused until somebody enables them again. Nothing else changes.",
        ),
        selected.disable_tokens,
        "{} disabled. Calls with them are refused until they are enabled.",
    )


@manages_access
@require_http_methods(["GET", "POST"])
def revoke(request: PageRequest) -> HttpResponse:
    selection = _selected(request)
    return _ask(
        request,
        selection,
        Dialog(
            "Revoke {}?",
            "Revoke",
            selection.back,
            about="Calls with these tokens are refused from the moment you confirm. This cannot be undone.",
            danger=True,
        ),
        selected.revoke_tokens,
        "{} revoked. Calls with them are refused from now on.",
    )


def _ask(request: PageRequest, selection: Selection[ApiToken], dialog: Dialog, act: Any, done: str) -> HttpResponse:
    """Show the dialog, and act on the selected tokens once it is confirmed. Texts have `{}` for their number."""
    tokens = list(selection.targets[: selected.MOST + 1])
    live = [token for token in tokens if token.revoked_at is None]
    if not live:
        nothing = "None of the selected tokens is there any more." if tokens else "Select rows in the list first."
        return show(request, Dialog("No tokens are selected", "", selection.back, about=nothing), forms.Form())
    if len(tokens) > selected.MOST:
        about = f"At most {selected.MOST:,} tokens can be changed at once. Narrow the list by a filter, or select rows."
        return show(request, Dialog("Too many tokens are selected", "", selection.back, about=about), forms.Form())
    used = sum(token.used_lately for token in live)
    form = SelectedTokensForm(form_data(request), count=len(live), typed=dialog.danger and used > 0)
    if form.is_valid():
        count = act(tenant=request.tenant, token_ids=[token.pk for token in live], actor=request.actor)
        notice = done.format(f"{count:,} token{'' if count == 1 else 's'} {'is' if count == 1 else 'are'}")
        return saved(request, selection.back, "tokens-changed", notice, in_place=True)
    facts = {
        "Selected": selection.words if request.GET.get("all") else _names(live),
        "Used within 30 days": f"{used:,} of {len(live):,}",
    }
    title = dialog.title.format(f"{len(live):,} token{'' if len(live) == 1 else 's'}")
    return show(request, replace(dialog, title=title, facts=facts), form)


def _names(tokens: list[ApiToken]) -> str:
    names = ", ".join(f"“{token.name}”" for token in tokens[:NAMED])
    return f"{names} and {len(tokens) - NAMED:,} more" if len(tokens) > NAMED else names


def _selected(request: PageRequest) -> Selection[ApiToken]:
    filters = TokenFilter(request.GET, tenant=request.tenant)
    tokens = request.tenant.api_tokens.order_by("name", "pk")
    return selection_of(request, filters, filters.apply, tokens, "tokens", key="pk")


def _cells(token: ApiToken) -> list[Any]:
    values = {name: getattr(token, name) for name in COLUMNS.values()}
    values["permissions"] = " ".join(permission.codename for permission in token.granted)
    values["networks"] = " ".join(token.networks)
    return list(values.values())


def _fresh(request: PageRequest) -> ApiToken | None:
    """The new token whose permissions were skipped, while it has none."""
    try:
        token_id = uuid.UUID(request.GET.get("new", ""))
    except ValueError:
        return None
    return request.tenant.api_tokens.listed().filter(id=token_id, permissions=[]).first()
