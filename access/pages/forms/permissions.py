"""The permission editor: the ticked boxes, the change they make, and the visible cards and rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms

from access.models import ApiToken
from access.permissions import Permission, Section, catalogue


def _permissions() -> list[tuple[str, str]]:
    return [(permission.codename, permission.label) for permission in catalogue]


def _sections() -> list[tuple[str, str]]:
    return [(section.slug, section.name) for area in catalogue.areas() for section in area.sections]


class PermissionsForm(forms.Form):
    """The ticked boxes, and the version of the token that the page showed.

    Without JavaScript the box of a section cannot tick the rows under it. `section_was` holds the state in which it was
    shown; a section box that differs from it ticks or clears all rows of the section.
    """

    version = forms.IntegerField(min_value=0, max_value=2**31 - 1)
    permission = forms.MultipleChoiceField(required=False, choices=_permissions)
    section = forms.MultipleChoiceField(required=False, choices=_sections)
    section_was = forms.MultipleChoiceField(required=False, choices=_sections)

    def __init__(self, data: Any, *, token: ApiToken) -> None:
        super().__init__(data)
        self.token = token

    @property
    def permissions(self) -> set[str]:
        """The codenames to save; without valid input those that the token has."""
        if not self.is_bound or "permission" not in self.cleaned_data:
            return {permission.codename for permission in self.token.granted}
        codenames = set(self.cleaned_data["permission"])
        now, was = set(self.cleaned_data.get("section", [])), set(self.cleaned_data.get("section_was", []))
        for area in catalogue.areas():
            for section in area.sections:
                rows = {permission.codename for permission in section.permissions}
                if section.slug in now - was:
                    codenames |= rows
                elif section.slug in was - now:
                    codenames -= rows
        return codenames

    @property
    def base_version(self) -> int:
        """The version of the token that the page showed."""
        return self.cleaned_data["version"] if self.is_bound and "version" in self.cleaned_data else self.token.version


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between two sets of permissions."""

    added: list[Permission]
    removed: list[Permission]

    @classmethod
    def between(cls, old: Iterable[str], new: Iterable[str]) -> "Change":
        old, new = set(old), set(new)
        return cls(catalogue.known(new - old), catalogue.known(old - new))

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


class EditorFilter(forms.Form):
    """The visible rows and the folded cards. `filter` distinguishes an unticked box from a first visit."""

    filter = forms.BooleanField(required=False)
    enabled = forms.BooleanField(required=False)
    q = forms.CharField(required=False, max_length=100)
    fold = forms.ChoiceField(required=False, choices=[("expand", "expand"), ("collapse", "collapse")])

    def __init__(self, data: Any, *, only_enabled: bool) -> None:
        super().__init__(data)
        self.full_clean()
        submitted = self.cleaned_data.get("filter", False)
        self.only_enabled: bool = self.cleaned_data["enabled"] if submitted else only_enabled
        self.text: str = self.cleaned_data.get("q", "").strip()
        self.folded: bool = self.cleaned_data.get("fold") == "collapse"


@dataclass(frozen=True, slots=True)
class Row:
    permission: Permission
    enabled: bool
    stored: bool
    visible: bool


@dataclass(frozen=True, slots=True)
class Card:
    section: Section
    rows: list[Row]

    @property
    def enabled(self) -> int:
        return sum(row.enabled for row in self.rows)

    @property
    def full(self) -> bool:
        return self.enabled == len(self.rows)

    @property
    def visible(self) -> bool:
        return any(row.visible for row in self.rows)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    cards: list[Card]

    @property
    def visible(self) -> bool:
        return any(card.visible for card in self.cards)


def editor(token: ApiToken, codenames: set[str], filters: EditorFilter) -> list[Group]:
    """The whole catalogue as the editor shows it. Invisible rows are included, because they are submitted too."""
    stored = set(token.permissions)

    def row(permission: Permission) -> Row:
        enabled = permission.codename in codenames
        visible = (enabled or not filters.only_enabled) and permission.matches(filters.text)
        return Row(permission, enabled, permission.codename in stored, visible)

    return [
        Group(area.name, [Card(section, [row(each) for each in section.permissions]) for section in area.sections])
        for area in catalogue.areas()
    ]
