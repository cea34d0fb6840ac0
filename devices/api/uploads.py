"""Bodies that stream: files that are too large to be held in memory."""

import tempfile
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict

from access.http.bodies import BodyStream, multipart
from devices.api import errors

MULTIPART = "multipart/form-data"


class NamelessFileHandler(FileUploadHandler):
    """Writes a file to disk without a name: the system deletes it when the process ends, even if it is killed."""

    file: "UploadedFile[Any]"

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        content = tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 - the form closes it
        self.file = UploadedFile(content, self.file_name, self.content_type, 0, self.charset, self.content_type_extra)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Declares that an operation accepts a multipart form of at most `maximum` bytes, with a file under each name in
    `files`, and optionally one under each name in `optional`.

    `handlers` are upload handlers of Django. The default one writes each file to disk and deletes it after the call.
    `about` describes the files for people.
    """

    maximum: int
    about: str
    files: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    handlers: tuple[type[FileUploadHandler], ...] = (NamelessFileHandler,)


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
