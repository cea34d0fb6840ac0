"""Template filters for the list of tokens and the editor of permissions, whose many rows have to be quick."""

import uuid
from collections.abc import Callable
from functools import cache, wraps
from typing import NamedTuple, cast

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from access.models import ApiToken
from access.permissions import Permission

register = template.Library()
ANY_TOKEN = uuid.UUID(int=0)


class Badge(NamedTuple):
    label: str
    look: str = ""


@register.filter
def badges(token: ApiToken) -> SafeString:
    """The badges beside a token's name."""
    spans = ((f" {look}" if look else "", label) for label, look in _badges(token))
    return format_html_join("\n", '<span class="badge{}">{}</span>', spans)


def _badges(token: ApiToken) -> list[Badge]:
    if token.revoked_at is not None:
        return [Badge("Revoked", "danger")]
    found = {
        Badge("Disabled", "danger"): token.disabled_at is not None,
        Badge("Two secrets", "info"): token.overlaps,
        Badge("Expired", "danger"): token.expired,
        Badge("Expires soon", "warning"): token.expires_soon,
        Badge("MCP"): token.mcp,
        Badge("No permissions"): token.granted_count == 0,
        Badge("Unused 90 d", "warning"): token.unused_long,
    }
    return [badge for badge, shown in found.items() if shown]


def once[**P](render: Callable[P, str]) -> Callable[P, str]:
    """`render`, whose results are kept for the next rows and pages, but not while templates are being changed."""
    kept = cast("Callable[P, str]", cache(render))

    @wraps(render)
    def rendered(*args: P.args, **kwargs: P.kwargs) -> str:
        return (render if settings.DEBUG else kept)(*args, **kwargs)

    return rendered


@register.filter
def menu(token: ApiToken) -> SafeString:
    """The items of a token's menu."""
    # They differ only in the token's id, so one rendering per state serves every row: fifty of them took a third of
    # the page's time.
    items = _menu(revoked=token.revoked_at is not None, disabled=token.disabled_at is not None)
    return mark_safe(items.replace(str(ANY_TOKEN), str(token.pk)))  # noqa: S308 - a UUID in rendered markup


@once
def _menu(*, revoked: bool, disabled: bool) -> str:
    return render_to_string(
        "access/tokens/_menu.html", {"token_id": ANY_TOKEN, "revoked": revoked, "disabled": disabled}
    )


@register.filter
@once
def described(permission: Permission, suggested: bool) -> str:
    """What a row of the editor says about a permission. It is the same for every token."""
    return render_to_string("access/tokens/_permission.html", {"permission": permission, "suggested": suggested})
