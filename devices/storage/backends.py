"""What a storage can do, the embedded one and S3. `files_storage()` is the one that the settings name."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Protocol, cast

from django.core.files.storage import storages

from access.refusals import Refusal

ALIAS = "files"  # in STORAGES
CHUNK = 256 * 1024


class StorageAway(Refusal):
    """The service that has the files does not answer."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The storage of files cannot be reached at the moment.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class PresignedPost:
    """Where to post a form, and the fields that go before its file."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """What lies under a key. S3 knows no SHA-256, and the MD5 of a file that came in one piece only."""

    size: int
    md5: str = ""
    sha256: str = ""


class Incoming(ABC):
    """A file that is being written, hashed on the way. Nobody sees it until `publish`."""

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
        """Have the bytes where they outlive a power cut. It takes long, so it is done before `publish`."""

    @abstractmethod
    def publish(self) -> None:
        """Have the file lie under its key. It is done at once, under the lock of a row."""


class Storage(Protocol):
    embedded: bool  # its uploads and downloads come to our own door

    def presigned_post(self, key: str, *, origin: str, token: str, lifetime: timedelta, maximum: int) -> PresignedPost:
        """`origin` is the API host that the caller used, `token` a text that no other upload has."""

    def signed_url(self, key: str, *, origin: str, lifetime: timedelta, filename: str) -> str:
        """The address of the file for anybody who has it, until it is over. It is saved as `filename`."""

    def find(self, key: str) -> Content | None:
        """What lies there; None where nothing does. Raises StorageAway."""

    def local(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Inside, the file on this machine, where it can be read in any order. Raises FileNotFoundError."""

    def incoming(self, key: str) -> AbstractContextManager[Incoming]:
        """Inside, a file that will lie under `key` once it is published. Without that it is gone on leaving."""

    def write(self, key: str, chunks: Iterable[bytes]) -> Content:
        """Store a file, which is there whole or not at all."""

    def delete(self, key: str) -> None:
        """Delete the file, where there is one."""

    def clean_up(self) -> int:
        """Delete what interrupted uploads left. Returns the number of files."""


class Writing:
    """`write` of a storage, by its `incoming`."""

    def write(self: Storage, key: str, chunks: Iterable[bytes]) -> Content:
        with self.incoming(key) as incoming:
            for chunk in chunks:
                incoming.write(chunk)
            incoming.sync()
            incoming.publish()
            return incoming.content


def files_storage() -> Storage:
    return cast("Storage", storages[ALIAS])
