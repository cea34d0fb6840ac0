"""The file in an app's form, from browsers without JavaScript. It is streamed to the storage as the form arrives."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings

from access.database import let_go
from access.pages.guards import PageRequest
from access.pages.uploads import Receiver, UploadStopped
from devices.models import StoredFile
from devices.pages.forms.apps import AppForm, too_large
from devices.storage import arrivals, files
from devices.storage.backends import Incoming, StorageAway, files_storage

logger = logging.getLogger(__name__)


class FileReceiver(Receiver):
    """Reserves a place when the file begins, and has the file checked when it is complete. `key` is then its key."""

    key = ""

    def __init__(self, request: PageRequest, stack: ExitStack, form: type[AppForm]) -> None:
        super().__init__(request, settings.IRU_FILES_MAXIMUM)
        self._stack, self._form = stack, form
        self._reserved: StoredFile
        self._incoming: Incoming

    def begin(self, name: str) -> None:
        self._reserved = files.reserve_here(
            tenant=self.request.tenant,
            purpose=self._form.purpose,
            name=self._form.file_name(name),
            actor=self.request.actor,
        )
        let_go()
        self._incoming = self._stack.enter_context(files_storage().incoming(self._reserved.key))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._incoming.size + len(raw_data) > self.maximum:
            raise self.too_large()
        try:
            self._incoming.write(raw_data)
        except OSError as error:
            raise _unstored() from error

    def finish(self) -> None:
        if not self._incoming.size:
            raise UploadStopped("This file is empty.")
        try:
            self._incoming.sync()
            arrivals.publish(self._reserved.key, self._incoming)
        except (OSError, StorageAway) as error:
            raise _unstored() from error
        self.key = self._reserved.key

    def too_large(self) -> UploadStopped:
        return UploadStopped(too_large())


@contextmanager
def receiver(form: type[AppForm], request: PageRequest) -> Iterator[FileReceiver]:
    """A receiver of the form's file. A file that is not published is deleted on exit."""
    with ExitStack() as stack:
        yield FileReceiver(request, stack, form)


def _unstored() -> UploadStopped:
    logger.exception("A file could not be stored.")
    return UploadStopped("The file cannot be stored at the moment. Try again later.")
