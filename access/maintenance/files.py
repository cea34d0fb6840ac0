"""The directory of the storage of files, as part of a backup."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages

from access.maintenance.archive import PIECE, Archive
from access.maintenance.engines import Progress
from access.maintenance.refusals import Refused

BUCKET = (
    "The files are in a bucket, which a backup does not include. Let the provider of the bucket keep versions or a "
    "replica of it, as the README says."
)


def storage() -> Any:
    """The storage of files in a local directory. Raises Refused for a bucket."""
    found: Any = storages["files"]
    if not getattr(found, "embedded", False):
        raise Refused(BUCKET)
    return found


def keys() -> Iterator[tuple[str, Path]]:
    """The key and the path of each stored file."""
    place = storage()
    root = Path(place.location)
    for path in sorted(root.rglob("*")):
        key = path.relative_to(root).as_posix()
        if path.is_file() and not place.is_unfinished(key):
            yield key, path


def check(archive: Archive) -> None:
    """Raises Refused for a backup with files that this installation cannot store."""
    place = storage()
    for key, _ in archive.files():
        try:
            place.path(key)
        except SuspiciousFileOperation:
            raise Refused(f"A file of the backup has an impossible name: {key}") from None


def put(archive: Archive, progress: Progress) -> int:
    """Store the files of a backup, each in the place of one with its key, after `check`. Returns their number."""
    place, number, total = storage(), 0, archive.manifest.files or 0
    for key, content in archive.files():
        with place.incoming(key) as incoming:
            while piece := content.read(PIECE):
                incoming.write(piece)
            incoming.sync()
            incoming.publish()
        number += 1
        progress("Files", number, total)
    return number
