"""The interface of the storages, embedded and S3. `files_storage()` returns the one that the settings name."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Protocol, cast

from django.core.files.storage import storages

from access.refusals import Refusal

ALIAS = "files"  # the key in STORAGES
CHUNK = 256 * 1024


class StorageAway(Refusal):
    """The service that stores the files does not answer."""

    status = 503
    cause = "storage"

    def __init__(self) -> None:
        super().__init__("The storage of files cannot be reached at the moment.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class PresignedPost:
    """The URL for a form, and the fields that must come before its file."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """The content under a key. S3 has no SHA-256, and has an MD5 only for a file that was uploaded in one piece."""

    size: int
    md5: str = ""
    sha256: str = ""


class Incoming(ABC):
    """A file that is being written and hashed. It is visible only after `publish`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self.size += len(chunk)

    @property
    def content(self) -> Content:
        return Content(self.size, self._md5.hexdigest(), self._sha256.hexdigest())

    @abstractmethod
    def sync(self) -> None:
        """Write the bytes so that they survive a power failure. It takes long, so call it before `publish`."""

    @abstractmethod
    def publish(self) -> None:
        """Make the file visible under its key. It takes little time, so call it under the lock of a row."""


class Storage(Protocol):
    embedded: bool  # this server receives its uploads and downloads

    def presigned_post(self, key: str, *, origin: str, token: str, lifetime: timedelta, maximum: int) -> PresignedPost:
        """Sign a form for an upload. `origin` is that of the API host that the caller used, `token` a unique text."""

    def signed_url(self, key: str, *, origin: str, lifetime: timedelta, filename: str) -> str:
        """A URL of the file, which anyone can use until it expires. The file is saved as `filename`."""

    def find(self, key: str) -> Content | None:
        """The content under the key; None if there is none. Raises StorageAway."""

    def local(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A context with the file on this machine, which can be read in any order.

        Raises FileNotFoundError if it is lost, and StorageAway.
        """

    def incoming(self, key: str) -> AbstractContextManager[Incoming]:
        """A context with a new file for `key`. On exit it is deleted, unless it was published."""

    def write(self, key: str, chunks: Iterable[bytes]) -> Content:
        """Store a file, completely or not at all."""

    def delete(self, key: str) -> None:
        """Delete the file, if it exists."""

    def check(self) -> None:
        """Raises OSError or StorageAway if the storage does not answer. It stores nothing."""

    def clean_up(self) -> int:
        """Delete the files of interrupted uploads. Returns their number."""


class Writing:
    """Implements a storage's `write` with its `incoming`."""

    def write(self: Storage, key: str, chunks: Iterable[bytes]) -> Content:
        with self.incoming(key) as incoming:
            for chunk in chunks:
                incoming.write(chunk)
            incoming.sync()
            incoming.publish()
            return incoming.content


def files_storage() -> Storage:
    return cast("Storage", storages[ALIAS])
