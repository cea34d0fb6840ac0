from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from access import labels
from access.http.navigation import access_tabs, allowed, navigation
from access.models import Administrator

THEMES = {"system": "System", "light": "Light", "dark": "Dark"}


def shell(request: HttpRequest) -> dict[str, Any]:
    """What every page's frame needs: the chosen theme, our own words, and the pages this person may open.

    Nothing here touches the session until a template asks: the page that reports a lost database is framed too.
    """
    theme = request.COOKIES.get("theme")

    def items() -> dict[str, Any]:
        person = getattr(request, "user", None)
        if not isinstance(person, Administrator):
            return {"navigation": [], "access_tabs": []}
        return {"navigation": allowed(navigation, person), "access_tabs": allowed(access_tabs, person)}

    return {
        "theme": theme if theme in THEMES else "system",
        "themes": THEMES,
        "labels": labels,
        "shell": SimpleLazyObject(items),
    }
