"""Bodies that stream: files that are too large to be held in memory."""

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest, QueryDict

from access.http.bodies import BodyStream, multipart
from devices.api import errors

MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Declares that an operation takes a multipart form of at most `maximum` bytes, with a file under each name of
    `files`, and perhaps one under each of `optional`.

    `handlers` are Django's upload handlers. Without others, each file is written to disk and is gone after the call.
    """

    maximum: int
    files: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    handlers: tuple[type[FileUploadHandler], ...] = (TemporaryFileUploadHandler,)


@dataclass(frozen=True, slots=True)
class Upload:
    """A form that has arrived whole. Its files, by the names of their fields, are open until the operation returns."""

    fields: QueryDict
    files: Mapping[str, "UploadedFile[Any]"]


@contextmanager
def upload_of(request: HttpRequest, limits: UploadLimits) -> Iterator[Upload]:
    """Read the body. A wrong type or a too large Content-Length is refused before any byte is read."""
    if request.content_type != MULTIPART:
        raise errors.unsupported_media_type(request.META.get("CONTENT_TYPE", ""))
    handlers = [handler(request) for handler in limits.handlers]
    with multipart(request, BodyStream(request, limits.maximum), handlers) as (fields, files):
        require_files(limits, files)
        # The last of several files in one field.
        yield Upload(fields, {name: file for name, file in files.items() if isinstance(file, UploadedFile)})


def require_files(limits: UploadLimits, files: Container[str]) -> None:
    """Raises the 400 for the first file that is missing."""
    for name in limits.files:
        if name not in files:
            raise errors.invalid(name, "No file was submitted.")
