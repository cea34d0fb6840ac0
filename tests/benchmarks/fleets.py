"""The kept databases: one for each size of a fleet, one with more content, and one of the peers with its devices."""

import ast
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.databases import Databases
from tests.benchmarks.scripts import run_script
from tests.benchmarks.servers import peer_environment, product_environment
from tests.processes import ROOT

LIST = "/api/v1/devices?limit=300"
# Another content of these makes another fleet.
SOURCES = (
    "access/migrations/*.py",
    "devices/migrations/*.py",
    "devices/demo/data.py",
    "devices/demo/fleet.py",
    "devices/fleet/facts.py",
    "devices/fleet/records.py",
    "tests/benchmarks/build.py",
    "tests/benchmarks/rows.py",
)
PAGES_SOURCES = (*SOURCES, "tests/benchmarks/inside/pages.py")
PEER_SOURCES = (*SOURCES, "tests/benchmarks/peers/models.py", "tests/benchmarks/peers/fill.py")


@dataclass(frozen=True, slots=True)
class Fleet:
    """A database with one tenant, and what a client needs to call its API."""

    size: int
    databases: Databases
    secret: str
    host: str
    devices: list[str]  # ids all over the fleet
    name: str

    @property
    def url(self) -> str:
        return self.databases.url(self.name)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}", "Host": self.host}

    @property
    def paths(self) -> dict[str, list[str]]:
        """The two calls that integrations make all day: one device, of many in turn, and a page of the list."""
        return {"device": [f"/api/v1/devices/{id}" for id in self.devices], "list": [LIST]}


@dataclass(frozen=True, slots=True)
class PeerData:
    """The database of the peers; `headers` has for each peer the header that lets a client in."""

    url: str
    headers: dict[str, str]


def fleet(databases: Databases, size: int, directory: Path, say: Callable[[str], None]) -> Fleet:
    """The fleet of this size. It is built if it is not there, or if its sources have changed since."""

    def build(url: str) -> str:
        databases.create(name)
        return run_script(product_environment(url, directory), "-m", "tests.benchmarks.build", str(size))

    content = _kept(databases, name := f"fleet_{size}", SOURCES, directory, say, build)
    return Fleet(size=size, databases=databases, name=name, **content)


@dataclass(frozen=True, slots=True)
class PagesData:
    """A fleet with tokens, events of the trail and rows of Prism beside. The measurements may add a few more."""

    fleet: Fleet
    token: str  # the id of one with every permission
    blueprint: str


def pages_data(fleet: Fleet, directory: Path, say: Callable[[str], None]) -> PagesData:
    """The database with the content of large pages, made from a copy of the fleet."""

    def build(url: str) -> str:
        fleet.databases.copy(fleet.name, name)
        return run_script(product_environment(url, directory), "-m", "tests.benchmarks.inside.pages")

    content = _kept(fleet.databases, name := f"pages_{fleet.size}", PAGES_SOURCES, directory, say, build)
    return PagesData(replace(fleet, name=name), **content)


def peer_data(fleet: Fleet, directory: Path, say: Callable[[str], None]) -> PeerData:
    """The database of the peers with the devices of the fleet."""
    databases, name = fleet.databases, f"peers_{fleet.size}"

    def build(url: str) -> str:
        databases.create(name)
        records = databases.texts(fleet.name, "SELECT record_json FROM devices_device ORDER BY id")
        return run_script(peer_environment("token", url), "-m", "tests.benchmarks.peers.fill", lines=records)

    return PeerData(databases.url(name), _kept(databases, name, PEER_SOURCES, directory, say, build))


def _kept(
    databases: Databases,
    name: str,
    sources: Iterable[str],
    directory: Path,
    say: Callable[[str], None],
    build: Callable[[str], str],
) -> dict[str, Any]:
    """What `build` printed as JSON when it made the database; it is called where the database is not current."""
    note, fingerprint = directory / f"{databases.kind}-{name}.json", _fingerprint(sources)
    if note.exists() and databases.exists(name):
        stored: dict[str, Any] = json.loads(note.read_text())
        if stored["fingerprint"] == fingerprint:
            content: dict[str, Any] = stored["content"]
            return content
    note.unlink(missing_ok=True)
    start = time.monotonic()
    content = json.loads(build(databases.url(name)).splitlines()[-1])
    note.write_text(json.dumps({"fingerprint": fingerprint, "content": content}))
    say(f"{databases.kind}: built {name} in {time.monotonic() - start:.0f} s")
    return content


def _fingerprint(sources: Iterable[str]) -> str:
    """A digest of the syntax trees of these files, so that another comment builds nothing anew."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in sources for path in ROOT.glob(pattern)):
        digest.update(f"{path.relative_to(ROOT)}\0{ast.dump(ast.parse(path.read_bytes()))}\0".encode())
    return digest.hexdigest()
