"""The permission editor: the ticked boxes, the change they make, and the visible cards and rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from access.models import ApiToken
from access.pages.forms.asking import Form
from access.permissions import Permission, Section, catalogue
from access.presets import presets
from access.search import rank

# Buttons that show the page again, some with other boxes ticked. They save nothing.
REDRAWS = {"apply", "fold", "review", "preset", "copy_from", "select_all", "select_shown"}


def _permissions() -> list[tuple[str, str]]:
    return [(permission.codename, permission.label) for permission in catalogue]


def _sections() -> list[tuple[str, str]]:
    return [(section.slug, section.name) for area in catalogue.areas() for section in area.sections]


def _presets() -> list[tuple[str, str]]:
    return [(preset.key, preset.label) for preset in presets]


class Codenames(forms.CharField):
    """Codenames with spaces between them, in one hidden field."""

    def __init__(self) -> None:
        super().__init__(required=False, max_length=20_000)

    def clean(self, value: Any) -> set[str]:
        return set(super().clean(value).split())


class PermissionsForm(Form):
    """The ticked boxes, and the state of the token and of the page when they were shown.

    `version` is the version of the token then, and `was` its permissions. `shown` names the rows that a filter left in
    sight, for the boxes and buttons that speak only for these.

    Without JavaScript the box of a section cannot tick the rows under it. `section_was` holds the state in which it was
    shown; a section box that differs from it ticks or clears the rows of the section that the page shows.
    """

    version = forms.IntegerField(min_value=0, max_value=2**31 - 1)
    permission = forms.MultipleChoiceField(required=False, choices=_permissions)
    section = forms.MultipleChoiceField(required=False, choices=_sections)
    section_was = forms.MultipleChoiceField(required=False, choices=_sections)
    was = Codenames()
    shown = Codenames()
    preset = forms.ChoiceField(required=False, choices=_presets)
    copy_from = forms.UUIDField(required=False)
    select_all = forms.ChoiceField(required=False, choices=_sections)
    select_shown = forms.BooleanField(required=False)

    def __init__(self, data: QueryDict | None, *, token: ApiToken, proposed: set[str] | None = None) -> None:
        """`proposed` are the codenames that an unbound form shows as ticked, in place of those that the token has."""
        super().__init__(data)
        self.token = token
        self.proposed = proposed if data is None else None

    @property
    def permissions(self) -> set[str]:
        """The ticked codenames; of a form without valid input those that the token has, or the proposed ones."""
        if not self.is_bound or "permission" not in self.cleaned_data:
            return self.stored if self.proposed is None else self.proposed
        if preset := presets.get(self.cleaned_data.get("preset", "")):
            return set(preset.codenames)
        if source := self._source():
            return {permission.codename for permission in source.granted}
        codenames = set(self.cleaned_data["permission"])
        now, was = set(self.cleaned_data.get("section", [])), set(self.cleaned_data.get("section_was", []))
        for area in catalogue.areas():
            for section in area.sections:
                rows = {permission.codename for permission in section.permissions}
                if section.slug == self.cleaned_data.get("select_all"):
                    codenames |= rows
                if section.slug in now - was:
                    codenames |= rows & self._shown
                elif section.slug in was - now:
                    codenames -= rows & self._shown
        return codenames | self._shown if self.cleaned_data.get("select_shown") else codenames

    @property
    def base_version(self) -> int:
        """The version of the token that the page showed."""
        return self.cleaned_data["version"] if self.is_bound and "version" in self.cleaned_data else self.token.version

    @property
    def stored(self) -> set[str]:
        """The permissions that the token has."""
        return {permission.codename for permission in self.token.granted}

    @property
    def base(self) -> set[str]:
        """The permissions that the token had when the page was first shown."""
        if self.is_bound and "was" in self.data and "was" in self.cleaned_data:
            return {permission.codename for permission in catalogue.known(self.cleaned_data["was"])}
        return self.stored

    @property
    def merged(self) -> set[str]:
        """The permissions that the token has now, with the changes of this form made to them."""
        return (self.stored | (self.permissions - self.base)) - (self.base - self.permissions)

    @property
    def _shown(self) -> set[str]:
        if "shown" in self.data:
            return {permission.codename for permission in catalogue.known(self.cleaned_data.get("shown", ()))}
        return {permission.codename for permission in catalogue}

    def _source(self) -> ApiToken | None:
        """The token whose permissions were asked for."""
        source_id = self.cleaned_data.get("copy_from")
        return self.token.tenant.api_tokens.listed().filter(id=source_id).first() if source_id else None


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

    def __str__(self) -> str:
        """`14 added, 3 sensitive, 1 removed`, or `No changes`."""
        counts = {
            "added": len(self.added),
            "sensitive": sum(permission.sensitive for permission in self.added),
            "removed": len(self.removed),
        }
        return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "No changes"


class EditorFilter(Form):
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
    """One permission. `suggested`: it was refused to the token, or is ticked by the link to this page."""

    permission: Permission
    enabled: bool
    stored: bool
    visible: bool
    suggested: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    section: Section
    rows: list[Row]

    @property
    def enabled(self) -> int:
        return sum(row.enabled for row in self.rows)

    @property
    def shown(self) -> list[Row]:
        return [row for row in self.rows if row.visible]

    @property
    def full(self) -> bool:
        """Whether its box is ticked: every row that is in sight is, or every row if none is in sight."""
        return all(row.enabled for row in self.shown or self.rows)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    cards: list[Card]

    @property
    def visible(self) -> bool:
        return any(card.shown for card in self.cards)


@dataclass(frozen=True, slots=True)
class Editor:
    """The whole catalogue as the editor shows it. Invisible rows are included, because they are submitted too."""

    groups: list[Group]

    @property
    def rows(self) -> list[Row]:
        return [row for group in self.groups for card in group.cards for row in card.rows]

    @property
    def shown(self) -> list[Row]:
        return [row for row in self.rows if row.visible]

    @property
    def narrowed(self) -> bool:
        return len(self.shown) < len(self.rows)

    @property
    def shown_codenames(self) -> str:
        return " ".join(row.permission.codename for row in self.shown)

    @classmethod
    def of(
        cls, codenames: set[str], filters: EditorFilter, *, stored: set[str], suggested: Iterable[str] = ()
    ) -> "Editor":
        """The editor with these boxes ticked. Under a search, what fits it best is first on each level."""
        suggested = set(suggested)

        def row(permission: Permission) -> Row:
            name = permission.codename
            enabled = name in codenames
            visible = (enabled or not filters.only_enabled) and permission.matches(filters.text)
            return Row(permission, enabled, name in stored, visible, name in suggested - stored)

        def best(rows: Iterable[Row]) -> int:
            return min((rank(filters.text, row.permission.label) for row in rows if row.visible), default=9)

        groups = [
            Group(area.name, [Card(section, [row(each) for each in section.permissions]) for section in area.sections])
            for area in catalogue.areas()
        ]
        if not filters.text:
            return cls(groups)
        for group in groups:
            for card in group.cards:
                card.rows.sort(key=lambda row: best([row]))
            group.cards.sort(key=lambda card: best(card.rows))
        return cls(sorted(groups, key=lambda group: best(group.cards[0].rows)))
