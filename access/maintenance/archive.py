"""The file of a backup: a tar with the database, the files, and last the manifest, so that no part looks whole."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from access.maintenance import manifest as manifests
from access.maintenance.engines import Progress
from access.maintenance.manifest import Content, Manifest
from access.maintenance.refusals import Refused

FILES = "files/"
PRIVATE = 0o600
PIECE = 1024 * 1024


def content_of(name: str, path: Path) -> Content:
    with path.open("rb") as file:
        return Content(name=name, size=path.stat().st_size, sha256=_digest(file))


class Writer:
    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE), "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - `written` closes it

    def add(self, name: str, path: Path) -> None:
        """Raises FileNotFoundError, and adds nothing, for a file that is not there any more."""
        with path.open("rb") as file:
            entry = tarfile.TarInfo(name)
            status = os.fstat(file.fileno())
            entry.size, entry.mtime, entry.mode = status.st_size, status.st_mtime, PRIVATE
            self._tar.addfile(entry, file)

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest, and wait until everything is on the disk."""
        text = manifest.model_dump_json(indent=2).encode()
        entry = tarfile.TarInfo(manifests.NAME)
        entry.size, entry.mtime, entry.mode = len(text), manifest.made_at.timestamp(), PRIVATE
        self._tar.addfile(entry, io.BytesIO(text))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """A new archive at that path, which its owner alone can read."""
    writer = Writer(path)
    try:
        yield writer
    finally:
        writer.close()


class Archive:
    """A backup that is open for reading, with its manifest."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        members = {member.name: member for member in tar if member.isfile()}
        if manifests.NAME not in members:
            raise Refused("This file has no manifest at its end: it is no backup, or only a part of one.")
        self.manifest = manifests.parse(self._open(members[manifests.NAME]).read())
        self._database = members.get(self.manifest.database.name)
        self._files = [member for name, member in members.items() if name.startswith(FILES)]
        if self._database is None or len(self._files) != (self.manifest.files or 0):
            raise Refused("This backup is not whole: the manifest names more than the file has.")

    @property
    def size(self) -> int:
        """Bytes of the files and of the database."""
        return self.manifest.database.size + sum(member.size for member in self._files)

    def check(self, progress: Progress) -> None:
        """Raises Refused unless the database in it is, byte for byte, what the manifest says."""
        assert self._database is not None  # noqa: S101 - see __init__
        expected = self.manifest.database
        if (
            self._database.size != expected.size
            or _digest(self._open(self._database), progress, expected.size) != expected.sha256
        ):
            raise Refused("This backup is damaged: the database in it is not what the manifest says.")

    def extract_database(self, path: Path) -> None:
        assert self._database is not None  # noqa: S101 - see __init__
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE), "wb") as target:
            source = self._open(self._database)
            while piece := source.read(PIECE):
                target.write(piece)

    def files(self) -> Iterator[tuple[str, BinaryIO]]:
        """The key and the content of each file."""
        for member in self._files:
            yield member.name.removeprefix(FILES), self._open(member)

    def _open(self, member: tarfile.TarInfo) -> BinaryIO:
        file = self._tar.extractfile(member)
        assert file is not None  # noqa: S101 - it is a file
        return file  # type: ignore[return-value]


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Raises Refused for a file that is no whole backup of a format that this version reads."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield Archive(tar)
    except tarfile.TarError:
        raise Refused(f"{path} is no backup, or is damaged.") from None
    except OSError as error:
        if error.filename is None or str(error.filename) != str(path):
            raise
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def _digest(file: BinaryIO, progress: Progress | None = None, total: int = 0) -> str:
    digest, done = hashlib.sha256(), 0
    while piece := file.read(PIECE):
        digest.update(piece)
        done += len(piece)
        if progress:
            progress("Check", done, total)
    return digest.hexdigest()
