"""Reads an installer package for Macs: whether MDM can install it, and the apps by which a Mac shows that it has it.

A distribution package, which `productbuild` makes, has a file Distribution, and each of its components a PackageInfo.
A component alone, which `pkgbuild` makes, is no such package. The scripts in it are not read: they may install more,
or nothing.
"""

import posixpath
import re
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Self

from devices.library.untrusted_xml import Path
from devices.library.xar import Archive, UnreadablePackage, scan_package

DISTRIBUTION, INFO = "Distribution", "PackageInfo"
LARGEST_FILE = 8 * 1024 * 1024  # of those two, unpacked
MOST_COMPONENTS = 50
MOST_APPS = 100
LONGEST_VALUE = 255
LONGEST_VERSION = 100

WANTED = re.compile(rf"{DISTRIBUTION}|(?:[^/]+/)?{INFO}")
# An app inside another one, or in a framework, is not in the list that a Mac sends.
APP = re.compile(r"(?:[^/]+/)*[^/]+\.app")
INSIDE = re.compile(r"\.(?:app|framework|bundle|plugin|appex|xpc)/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class App:
    """An app that the package installs. `version` is its CFBundleShortVersionString, `build` its CFBundleVersion."""

    identifier: str
    version: str
    build: str
    path: str  # on the disk of a Mac


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a package says of itself. `unsigned` says why it is not a signed one; it is empty if it is."""

    unsigned: str = ""
    signer: str = ""
    distribution: bool = False
    title: str = ""
    identifier: str = ""
    version: str = ""
    versions: list[str] = field(default_factory=list)  # this one and those of the components
    minimum_os_version: str = ""
    apps: list[App] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "apps": [App(**app) for app in values["apps"]]})


def read(file: BinaryIO) -> Package:
    """Read a package in bounded time and memory. Raises UnreadablePackage, with the reason."""
    archive = Archive(file, lambda path: WANTED.fullmatch(path) is not None)
    distribution = _Distribution()
    if DISTRIBUTION in archive.files:
        content = archive.content(DISTRIBUTION, LARGEST_FILE)
        scan_package(DISTRIBUTION, content, distribution.begin, distribution.end)
    infos = [path for path in archive.files if path != DISTRIBUTION]
    if len(infos) > MOST_COMPONENTS:
        raise UnreadablePackage(f"it has {len(infos)} components; {MOST_COMPONENTS} are allowed")
    component = _Components()
    for path in infos:
        scan_package(path, archive.content(path, LARGEST_FILE), component.begin, _nothing)
    unsigned = archive.unsigned()
    return Package(
        unsigned=unsigned,
        signer="" if unsigned else _text(archive.signer()),
        distribution=DISTRIBUTION in archive.files,
        title=distribution.title,
        identifier=distribution.identifier or component.identifier,
        version=distribution.version or component.version,
        versions=list(dict.fromkeys(filter(None, [distribution.version, *component.versions]))),
        minimum_os_version=distribution.minimum,
        apps=list(component.apps.values())[:MOST_APPS],
    )


class _Distribution:
    """The values of a file Distribution."""

    def __init__(self) -> None:
        self.title = self.identifier = self.version = self.minimum = ""

    def begin(self, path: Path, attributes: dict[str, str]) -> None:
        match path:
            case (_, "product"):
                self.identifier = _text(attributes.get("id", ""))
                self.version = _text(attributes.get("version", ""), LONGEST_VERSION)
            case (*_, "allowed-os-versions", "os-version"):
                minimum = _text(attributes.get("min", ""), LONGEST_VERSION)
                if not self.minimum or numbers(minimum) < numbers(self.minimum):
                    self.minimum = minimum

    def end(self, path: Path, text: str) -> None:
        if len(path) == 2 and path[1] == "title":
            self.title = _text(text)


class _Components:
    """The values of the files PackageInfo, and the apps that they install, by identifier and path."""

    def __init__(self) -> None:
        self.identifier = self.version = self._location = ""
        self.versions: list[str] = []
        self.apps: dict[tuple[str, str], App] = {}

    def begin(self, path: Path, attributes: dict[str, str]) -> None:
        match path:
            case ("pkg-info",):
                self.identifier = self.identifier or _text(attributes.get("identifier", ""))
                self.versions.append(_text(attributes.get("version", ""), LONGEST_VERSION))
                self.version = self.version or self.versions[-1]
                self._location = attributes.get("install-location", "/")
            case ("pkg-info", "bundle"):
                self._bundle(attributes)

    def _bundle(self, attributes: dict[str, str]) -> None:
        path, identifier = posixpath.normpath(attributes.get("path", "")), _text(attributes.get("id", ""))
        path = posixpath.normpath(posixpath.join("/", self._location, path.lstrip("/")))
        relative = path.lstrip("/")
        if not identifier or not APP.fullmatch(relative) or INSIDE.search(relative) or len(path) > LONGEST_VALUE:
            return
        version = _text(attributes.get("CFBundleShortVersionString", ""), LONGEST_VERSION)
        build = _text(attributes.get("CFBundleVersion", ""), LONGEST_VERSION)
        if version or build:  # a Mac that shows the app has to show which version it is
            self.apps[identifier, path] = App(identifier, version, build, _text(path))


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version without zeros at its end, for comparisons; empty for a text without any."""
    found = [int(number) for number in re.findall(r"[0-9]{1,18}", version)]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def _text(value: str, most: int = LONGEST_VALUE) -> str:
    return value.strip()[:most]


def _nothing(path: Path, text: str) -> None:
    """The values of a PackageInfo are all attributes."""
