"""What the left navigation and the Access tabs list. A page enters here when it comes to exist: `navigation.append(…)`
in its app's `urls.py`."""

from collections.abc import Callable
from dataclasses import dataclass

from access.labels import API_TOKENS
from access.models import Administrator


def everyone(administrator: Administrator) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Item:
    """A link to `url_name`, shown to those whom `allowed` names. `icon` is a name of the lucide set."""

    label: str
    icon: str
    url_name: str
    allowed: Callable[[Administrator], bool] = everyone


navigation: list[Item] = []
access_tabs: list[Item] = [Item(API_TOKENS, "key-round", "tokens", lambda person: person.manages_access)]


def allowed(items: list[Item], administrator: Administrator) -> list[Item]:
    """Those of `items` whose page this person may open."""
    return [item for item in items if item.allowed(administrator)]
