"""Upload one file in a presigned form, as in S3. It is streamed to disk, hashed meanwhile, visible when complete."""

from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse

from access.database import let_go
from access.http.bodies import BodyStream, FormHandler, multipart
from access.http.slow_clients import begin_transfer
from devices.files import errors
from devices.models import StoredFile
from devices.storage.arrivals import publish
from devices.storage.backends import Incoming, files_storage
from devices.storage.embedded import EmbeddedStorage
from devices.storage.signatures import Grant, check_upload

FIELDS = 64 * 1024  # bytes of a form in addition to its file


class Receiver(FormHandler):
    """Checks the form when its file begins, and writes that file. It refuses every other file."""

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest, storage: EmbeddedStorage, stack: ExitStack) -> None:
        super().__init__(request)
        self._storage, self._stack, self._meta = storage, stack, request.META
        self._begun: tuple[Grant, Incoming] | None = None

    @property
    def received(self) -> tuple[Grant, Incoming]:
        if self._begun is None:
            raise errors.one_file()
        return self._begun

    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> None:
        if self._begun is not None or field_name != "file":
            raise errors.one_file()
        grant = check_upload({name: str(value) for name, value in self.fields.items()})
        begin_transfer(self._meta)
        if not StoredFile.objects.filter(key=grant.key, tenant__active=True).exists():
            raise errors.access_denied()
        let_go()
        self._begun = grant, self._stack.enter_context(self._storage.incoming(grant.key))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        grant, incoming = self.received
        if incoming.size + len(raw_data) > grant.maximum:
            raise errors.too_large()
        incoming.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        return None


def upload(request: HttpRequest) -> HttpResponse:
    """Receive a file. 204 means that the complete file is on disk, and is noted in its row."""
    storage = files_storage()
    if not isinstance(storage, EmbeddedStorage):
        raise errors.no_such_key()  # clients upload to S3 then
    if request.content_type != "multipart/form-data":
        raise errors.FileError(
            412, "PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data."
        )
    with ExitStack() as stack:
        receiver = Receiver(request, storage, stack)
        stream = BodyStream(request, settings.IRU_FILES_MAXIMUM + FIELDS)
        with multipart(request, stream, [receiver]):
            pass
        grant, incoming = receiver.received
        if incoming.size < grant.minimum:
            raise errors.too_small()
        incoming.sync()
        file = publish(grant.key, incoming)
    location = request.build_absolute_uri(request.path) + quote(file.key, safe="")
    response = HttpResponse(status=204, headers={"ETag": f'"{file.md5}"', "Location": location})
    del response["Content-Type"]  # the body is empty
    return response
