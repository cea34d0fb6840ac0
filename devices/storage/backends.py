"""What a storage can do, the embedded one and S3. `files_storage()` is the one that the settings name."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Protocol, cast

from django.core.files.storage import storages

ALIAS = "files"  # in STORAGES
CHUNK = 256 * 1024


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


class Storage(Protocol):
    embedded: bool  # its uploads and downloads come to our own door

    def presigned_post(self, key: str, *, origin: str, token: str, lifetime: timedelta, maximum: int) -> PresignedPost:
        """`origin` is the API host that the caller used, `token` a text that no other upload has."""

    def signed_url(self, key: str, *, origin: str, lifetime: timedelta, filename: str) -> str:
        """The address of the file for anybody who has it, until it is over. It is saved as `filename`."""

    def find(self, key: str) -> Content | None:
        """What lies there; None where nothing does."""

    def local(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Inside, the file on this machine, where it can be read in any order. Raises FileNotFoundError."""

    def write(self, key: str, chunks: Iterable[bytes]) -> Content:
        """Store a file, which is there whole or not at all."""

    def delete(self, key: str) -> None:
        """Delete the file, where there is one."""

    def clean_up(self) -> int:
        """Delete what interrupted uploads left. Returns the number of files."""


def files_storage() -> Storage:
    return cast("Storage", storages[ALIAS])
