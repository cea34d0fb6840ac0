"""Permissions and their catalogue. The API fills it: every declared operation is a permission that can be granted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from django.utils.text import slugify

from access.search import matches, searchable, words_of


@dataclass(frozen=True, slots=True)
class Permission:
    """The right to call one operation.

    `codename` is stored on tokens: public, and permanent once released. `path` is the templated path
    (`/api/v1/devices/{device_id}`), `about` one sentence for the person who grants it.
    """

    codename: str
    label: str
    method: str
    path: str
    about: str
    sensitive: bool = False

    @property
    def search_text(self) -> str:
        """The text in which a search looks for its words: see `access.search`."""
        return _search_text(self)

    @property
    def search_label(self) -> str:
        return searchable([self.label])

    def as_missing(self) -> dict[str, str]:
        """As an answer names a permission that a token lacks."""
        return {"http_method": self.method, "path": self.path, "label": self.label}

    def matches(self, query: str) -> bool:
        return matches(words_of(query), self.search_text)


@cache
def _search_text(permission: Permission) -> str:
    names = (permission.label, permission.codename.replace("_", " "))
    return searchable(names, permission.codename, permission.method, permission.path, permission.about)


@dataclass(slots=True)
class Section:
    """Permissions that the editor shows and grants as one card."""

    area: str
    name: str
    about: str
    permissions: list[Permission] = field(default_factory=list)

    @property
    def slug(self) -> str:
        return slugify(f"{self.area} {self.name}")


@dataclass(frozen=True, slots=True)
class Area:
    """A heading of the permission editor with its sections."""

    name: str
    sections: list[Section]


class Catalogue:
    """All permissions, in the order of the editor."""

    def __init__(self) -> None:
        self._sections: dict[tuple[str, str], Section] = {}
        self._permissions: dict[str, Permission] = {}

    def add(self, section: Section, permission: Permission) -> None:
        """Add a permission to the section, and the section after those that have one already."""
        if self._sections.setdefault((section.area, section.name), section) is not section:
            raise ValueError(f"The section {section.name} of {section.area} is declared twice.")
        if permission.codename in self._permissions:
            raise ValueError(f"The permission {permission.codename} is declared twice.")
        self._permissions[permission.codename] = permission
        section.permissions.append(permission)

    def areas(self) -> list[Area]:
        areas: dict[str, Area] = {}
        for section in self._sections.values():
            areas.setdefault(section.area, Area(section.area, [])).sections.append(section)
        return list(areas.values())

    def get(self, codename: str) -> Permission | None:
        return self._permissions.get(codename)

    def known(self, codenames: Iterable[str]) -> list[Permission]:
        """The permissions with these codenames, in catalogue order. Names that do not exist are left out."""
        names = set(codenames)
        return [permission for permission in self if permission.codename in names]

    def named(self, words: Iterable[str]) -> list[str]:
        """Codenames for what a person writes: each word is one of them, or stands for several.

        `all` is every permission; `read-only` is every GET but those whose answer is a secret. Words that are neither
        are given back as they are.
        """
        codenames: dict[str, None] = {}
        for word in words:
            match word:
                case "all":
                    meant = [permission.codename for permission in self]
                case "read-only":
                    meant = [each.codename for each in self if each.method == "GET" and not each.sensitive]
                case _:
                    meant = [word]
            codenames |= dict.fromkeys(meant)
        return list(codenames)

    def __iter__(self) -> Iterator[Permission]:
        return (permission for area in self.areas() for section in area.sections for permission in section.permissions)

    def __len__(self) -> int:
        return len(self._permissions)

    def __contains__(self, codename: object) -> bool:
        return codename in self._permissions


catalogue = Catalogue()
