"""Named sets of permissions, with which the permission editor can start."""

from collections.abc import Iterator
from dataclasses import dataclass

from access.permissions import catalogue


@dataclass(frozen=True, slots=True)
class Preset:
    """The permissions that a known tool needs. `about` says for what, and `codenames` are those of the catalogue."""

    key: str
    label: str
    about: str
    codenames: tuple[str, ...]


class Presets:
    """All presets, in the order of the editor's menu. The first two follow from the catalogue."""

    def __init__(self) -> None:
        self._registered: dict[str, Preset] = {}

    def register(self, preset: Preset) -> None:
        """Add the preset of a tool. Raises ValueError for a second one of the same key, or an unknown permission."""
        if preset.key in self._registered:
            raise ValueError(f"The preset {preset.key} is registered twice.")
        if unknown := [codename for codename in preset.codenames if codename not in catalogue]:
            raise ValueError(f"The preset {preset.key} names unknown permissions: {', '.join(unknown)}.")
        self._registered[preset.key] = preset

    def __iter__(self) -> Iterator[Preset]:
        read_only = tuple(catalogue.named(["read-only"]))
        yield Preset("read-only", "Read only", "Everything that changes nothing and is no secret", read_only)
        yield Preset("none", "None", "No permission at all", ())
        yield from self._registered.values()

    def get(self, key: str) -> Preset | None:
        return next((preset for preset in self if preset.key == key), None)


presets = Presets()
