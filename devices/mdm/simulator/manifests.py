"""The manifest of an app or a package, which a simulated device fetches first, and the file that it names."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devices.mdm.simulator.refusing import CommandError
from devices.wire import plists
from devices.wire.errors import Malformed

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

NO_MANIFEST = 12023


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is to be installed, where its file is, and the digests of the file's pieces of `piece` bytes."""

    identifier: str
    version: str
    title: str
    url: str
    piece: int
    digests: list[str]


def read(device: "SimulatedDevice", url: str) -> Manifest:
    """Fetch a manifest. Raises CommandError for one that cannot be had, or that lacks something."""
    answer = device.get(url)
    if answer.status != 200:
        raise CommandError(NO_MANIFEST, f"The manifest was answered with {answer.status}.")
    try:
        (item,) = plists.loads(answer.body)["items"]
        (asset,) = (each for each in item["assets"] if each["kind"] == "software-package")
        named = item["metadata"]
        if named["kind"] != "software" or not (named["bundle-identifier"] and named["bundle-version"]):
            raise ValueError(named)
        return Manifest(
            named["bundle-identifier"],
            named["bundle-version"],
            named["title"],
            asset["url"],
            asset["sha256-size"],
            asset["sha256s"],
        )
    except (Malformed, KeyError, ValueError) as error:
        raise CommandError(NO_MANIFEST, f"The manifest is invalid: {error!r}") from None


def fetch(device: "SimulatedDevice", manifest: Manifest) -> bytes | None:
    """The file; None if it is not there, or not the one that the manifest names. Raises ConnectionCut."""
    answer = device.get(manifest.url)
    starts = range(0, len(answer.body), manifest.piece)
    digests = [hashlib.sha256(answer.body[start : start + manifest.piece]).hexdigest() for start in starts]
    return answer.body if answer.status == 200 and digests == manifest.digests else None
