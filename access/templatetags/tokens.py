"""Template filters for the list of tokens, which shows up to fifty of them and has to be quick."""

import uuid
from functools import lru_cache
from typing import NamedTuple

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from access.models import ApiToken

register = template.Library()
ANY_TOKEN = uuid.UUID(int=0)


class Badge(NamedTuple):
    label: str
    look: str = ""


@register.filter
def badges(token: ApiToken) -> list[Badge]:
    """The badges beside a token's name."""
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


@register.filter
def menu(token: ApiToken) -> SafeString:
    """The items of a token's menu."""
    # They differ only in the token's id, so one rendering per state serves every row: fifty of them took a third of
    # the page's time.
    render = _menu.__wrapped__ if settings.DEBUG else _menu
    items = render(revoked=token.revoked_at is not None, disabled=token.disabled_at is not None)
    return mark_safe(items.replace(str(ANY_TOKEN), str(token.pk)))  # noqa: S308 - a UUID in rendered markup


@lru_cache
def _menu(*, revoked: bool, disabled: bool) -> str:
    return render_to_string(
        "access/tokens/_menu.html", {"token_id": ANY_TOKEN, "revoked": revoked, "disabled": disabled}
    )
