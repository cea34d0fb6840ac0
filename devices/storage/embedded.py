"""Files in a directory. This server receives uploads and downloads itself, by forms and links that it signs."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.core.files.storage import FileSystemStorage
from django.utils._os import safe_join

from access.disk import sync_directory
from devices.storage import signatures
from devices.storage.backends import Content, Incoming, PresignedPost, StorageAway, Writing

POST_PATH = "/files/"
INCOMING = "incoming"  # the directory for files that are still being written
STALE = 24 * 60 * 60  # seconds since the last write to a file there, after which its writer is gone


class IncomingFile(Incoming):
    def __init__(self, file: BinaryIO, path: Path, target: Path) -> None:
        super().__init__(file)
        self._path, self._target = path, target

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Move the file to its key, atomically and durably."""
        self._path.replace(self._target)
        sync_directory(self._target.parent)


class EmbeddedStorage(Writing, FileSystemStorage):
    embedded = True

    def presigned_post(self, key: str, *, origin: str, token: str, lifetime: timedelta, maximum: int) -> PresignedPost:
        fields = signatures.sign_upload(key=key, token=token, lifetime=lifetime, maximum=maximum)
        return PresignedPost(origin + POST_PATH, fields)

    def signed_url(self, key: str, *, origin: str, lifetime: timedelta, filename: str) -> str:
        return signatures.link_url(origin=origin, key=key, filename=filename, lifetime=lifetime)

    def find(self, key: str) -> Content | None:
        try:
            return Content(self._path(key).stat().st_size)
        except FileNotFoundError:
            return None

    @contextmanager
    def local(self, key: str) -> Iterator[BinaryIO]:
        path = self._path(key)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if path.parent.is_dir():
                raise
            # The directory of a file that arrived stays: another disk than the one with the files is there now.
            raise StorageAway from None
        with file:
            yield file

    @contextmanager
    def incoming(self, key: str) -> Iterator[Incoming]:
        target = self._path(key)
        for directory in (target.parent, waiting := self._path(INCOMING)):
            _make_directory(directory)
        path = waiting / uuid4().hex
        with open(path, "xb", opener=_private) as file:
            try:
                yield IncomingFile(file, path, target)
            finally:
                with suppress(FileNotFoundError):
                    path.unlink()

    def is_unfinished(self, key: str) -> bool:
        """Whether a path below the directory is a file that is still being written, and no stored file."""
        return key.startswith(f"{INCOMING}/")

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._path(name).unlink()

    def check(self) -> None:
        place = Path(self.location)
        while not place.exists():  # it is made with the first file
            place = place.parent
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(f"{place} cannot be written.")

    def clean_up(self) -> int:
        removed = 0
        with suppress(FileNotFoundError):
            for path in self._path(INCOMING).iterdir():
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > STALE:
                        path.unlink()
                        removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return Path(safe_join(self.location, key))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make_directory(directory: Path) -> None:
    """Create the directory, readable only by its owner. Its entry is written to disk, so that no file in it is lost."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    sync_directory(directory.parent)
