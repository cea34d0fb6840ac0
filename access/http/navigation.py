"""The entries of the left navigation and of the Access tabs. An app adds its pages in its `urls.py`."""

from collections.abc import Callable
from dataclasses import dataclass

from access.labels import API_TOKENS, PEOPLE, WEBHOOKS
from access.models import Administrator


def everyone(administrator: Administrator) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Item:
    """A link to `url_name`, shown to people for whom `allowed` is true. `icon` is a name of the lucide set."""

    label: str
    icon: str
    url_name: str
    allowed: Callable[[Administrator], bool] = everyone


navigation: list[Item] = []
access_tabs: list[Item] = [
    Item(API_TOKENS, "key-round", "tokens", lambda person: person.manages_access),
    Item(PEOPLE, "users", "people", lambda person: person.manages_access),
    Item(WEBHOOKS, "webhook", "webhooks", lambda person: person.manages_access),
]


def allowed(items: list[Item], administrator: Administrator) -> list[Item]:
    """The items whose page this person may open."""
    return [item for item in items if item.allowed(administrator)]
