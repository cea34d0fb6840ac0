from typing import Any

from django.http import HttpRequest

THEMES = ("system", "light", "dark")


def shell(request: HttpRequest) -> dict[str, Any]:
    """What every page's frame needs: the chosen theme."""
    theme = request.COOKIES.get("theme")
    return {"theme": theme if theme in THEMES else "system", "themes": THEMES}
