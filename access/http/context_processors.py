"""Template variables of every page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from access import labels
from access.http.navigation import access_tabs, allowed, navigation
from access.models import Administrator

THEMES = {"system": "System", "light": "Light", "dark": "Dark"}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Variables of the page frame: the theme, the labels, the version, and the pages that this person may open.

    The session is read only when a template asks for it, so that the page for a lost database can be rendered.
    """
    theme = request.COOKIES.get("theme")

    def items() -> dict[str, Any]:
        person = getattr(request, "user", None)
        if not isinstance(person, Administrator):
            return {"navigation": [], "access_tabs": []}
        return {
            "navigation": allowed(navigation, person),
            "access_tabs": allowed(access_tabs, person),
            "in_access": any(request.path.startswith(reverse(item.url_name)) for item in access_tabs),
        }

    return {
        "theme": theme if theme in THEMES else "system",
        "themes": THEMES,
        "labels": labels,
        "version": settings.VERSION,
        "shell": SimpleLazyObject(items),
    }
