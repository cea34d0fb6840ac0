"""Check an upload: that it is complete, and has the right format. A task does it, as a file may have gigabytes."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO

from django.db import transaction

from access.tasks.backend import task
from devices.models import StoredFile
from devices.storage import keys
from devices.storage.backends import CHUNK, Content, files_storage
from devices.storage.files import accept_upload, store

DAMAGED = "The checksum of the file does not match the expected value"
LONGEST_CHECK = timedelta(hours=1)  # since the upload, for all attempts


class NotOfItsKind(Exception):
    """The file does not have the expected format. The message is the reason, for the person who uploaded it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The results of a check: values to store, and images to store next to the file, by the ending of their key."""

    metadata: dict[str, Any] = field(default_factory=dict)
    images: Mapping[str, bytes] = field(default_factory=dict)


State = StoredFile.State
AWAITED = {State.RESERVED, State.DAMAGED, State.REFUSED}  # an upload may be repeated after a failure

type Check = Callable[[BinaryIO, StoredFile], Findings]

_checks: dict[StoredFile.Purpose, Check] = {}


def register_check(purpose: StoredFile.Purpose, check: Check) -> None:
    """Register `check` for each upload with this purpose. It runs in a worker, and raises NotOfItsKind."""
    _checks[purpose] = check


def look_for_upload(file: StoredFile) -> StoredFile:
    """The current row. A bucket does not report uploads, so a file that arrived there is noted here, and then checked.

    Do not call it in a transaction, because it sends a request to the bucket.
    """
    storage = files_storage()
    if storage.embedded or file.state not in AWAITED or (content := storage.find(file.key)) is None:
        return file
    with transaction.atomic():
        file = file.tenant.files.select_for_update().get(pk=file.pk)
        if file.state == State.RESERVED or (file.state in AWAITED and content.md5 != file.md5):
            accept_upload(file, content)
            check_file.enqueue(file.pk, file.upload)
    return file


@task(retries=3)
def check_file(file_id: int, upload: int) -> None:
    """Verify this upload of a file. A second run changes nothing if it is already verified."""
    file = StoredFile.objects.select_related("tenant").filter(pk=file_id, upload=upload, state=State.UPLOADED).first()
    if file is None:
        return
    state, reason, findings = State.READY, "", Findings()
    try:
        with files_storage().local(file.key) as content:
            digest = _digest(content)
            if _differs(file, digest):
                state, reason = State.DAMAGED, DAMAGED
            elif check := _checks.get(StoredFile.Purpose(file.purpose)):
                content.seek(0)
                findings = check(content, file)
    except FileNotFoundError:
        digest, state, reason = Content(0), State.DAMAGED, DAMAGED
    except NotOfItsKind as error:
        state, reason = State.REFUSED, str(error)
    _note(file, digest, state, reason, findings)


def _note(file: StoredFile, digest: Content, state: StoredFile.State, reason: str, findings: Findings) -> None:
    for ending, image in findings.images.items():
        key = keys.beside(file.key, ending)
        store(tenant=file.tenant, purpose=StoredFile.Purpose.ICON, name=key.rpartition("/")[2], chunks=[image], key=key)
    with transaction.atomic():
        locked = file.tenant.files.select_for_update().get(pk=file.pk)
        if (locked.upload, locked.state) != (file.upload, State.UPLOADED):
            return  # the file was uploaded again meanwhile
        locked.state, locked.reason, locked.metadata = state, reason[:255], findings.metadata
        locked.size, locked.sha256, locked.md5 = digest.size, digest.sha256, digest.md5
        locked.save(update_fields=["state", "reason", "metadata", "size", "sha256", "md5"])


def _digest(content: BinaryIO) -> Content:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while chunk := content.read(CHUNK):
        sha256.update(chunk)
        md5.update(chunk)
        size += len(chunk)
    return Content(size, md5.hexdigest(), sha256.hexdigest())


def _differs(file: StoredFile, digest: Content) -> bool:
    """Whether the file differs from the values that were noted on arrival. Values that were not noted do not count."""
    noted = ((file.size, digest.size), (file.md5, digest.md5), (file.sha256, digest.sha256))
    return any(before and before != now for before, now in noted)
