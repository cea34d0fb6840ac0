"""Files of a tenant: reserved for an upload, stored by the server itself, used, opened and deleted.

A file has a date on which it is deleted, until something uses it (`claim`). So nothing that was interrupted stays.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from access.refusals import Refusal
from devices.models import StoredFile
from devices.storage import keys, signatures
from devices.storage.backends import Content, PresignedPost, files_storage

State, Purpose = StoredFile.State, StoredFile.Purpose

TO_UPLOAD = timedelta(hours=24)  # in which an upload can begin
TO_USE = timedelta(hours=24)  # in which an uploaded file is used, or deleted
TO_FINISH = timedelta(hours=1)  # for downloads of a file that nothing uses any more
LINK = timedelta(hours=1)


class UploadProcessing(Refusal):
    """The upload arrived and is being checked; the caller repeats the call a moment later."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The upload is still being processed.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class AlreadyUploaded(Exception):
    """The file is in use, or proven, and cannot become another one."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A place for one upload: the row, the form to post, and when it is over."""

    file: StoredFile
    post: PresignedPost
    expires: datetime


def reserve(*, tenant: Tenant, purpose: StoredFile.Purpose, name: str, origin: str, actor: Actor) -> Reservation:
    """Reserve a place for an upload. `origin` is the scheme and host at which the caller reached the API."""
    expires = timezone.now() + TO_UPLOAD
    key = keys.new_key(tenant, purpose, name)
    file = StoredFile(tenant=tenant, key=key, purpose=purpose, name=name, expires_at=expires + TO_USE)
    # Before the transaction, because a bucket's credentials may have to be fetched for it.
    post = files_storage().presigned_post(
        key, origin=origin, token=file.uuid.hex, lifetime=TO_UPLOAD, maximum=settings.IRU_FILES_MAXIMUM
    )
    _insert(file, actor)
    return Reservation(file, post, expires)


def reserve_here(*, tenant: Tenant, purpose: StoredFile.Purpose, name: str, actor: Actor) -> StoredFile:
    """Reserve a place for an upload that comes through this server itself: see `arrivals.publish`."""
    key = keys.new_key(tenant, purpose, name)
    file = StoredFile(tenant=tenant, key=key, purpose=purpose, name=name, expires_at=timezone.now() + TO_USE)
    _insert(file, actor)
    return file


def store(
    *,
    tenant: Tenant,
    purpose: StoredFile.Purpose,
    name: str,
    chunks: Iterable[bytes],
    lifetime: timedelta = TO_USE,
    key: str = "",
) -> StoredFile:
    """Store a file that the server makes itself, in pieces and in constant memory. It is deleted after `lifetime`.

    With `key` it takes the place of the file that has this key, of a former attempt.
    Not to be called in a transaction: the row comes first, so that a worker that is killed leaves nothing for ever.
    """
    with transaction.atomic():  # no file is without a row, at no moment
        if key:
            StoredFile.objects.filter(tenant=tenant, key=key).delete()
        file = StoredFile.objects.create(
            tenant=tenant,
            key=key or keys.new_key(tenant, purpose, name),
            purpose=purpose,
            name=name,
            expires_at=timezone.now() + lifetime,
        )
    content = files_storage().write(file.key, chunks)
    _uploaded(file, content)
    file.state, file.expires_at = State.READY, timezone.now() + lifetime
    file.save(update_fields=["state", "upload", "size", "md5", "sha256", "uploaded_at", "expires_at"])
    return file


def accept_upload(file: StoredFile, content: Content) -> None:
    """Note in the locked row, whose upload is in its place, or will be before the commit. Raises AlreadyUploaded."""
    if file.state == State.DELETED or (file.expires_at is None) or file.state == State.READY:
        raise AlreadyUploaded
    _uploaded(file, content)
    file.state, file.reason, file.metadata = State.UPLOADED, "", {}
    file.expires_at = timezone.now() + TO_USE
    file.save()


def claim(*, tenant: Tenant, key: str, purpose: StoredFile.Purpose, field: str = "file_key") -> StoredFile:
    """Have a file stay, because something uses it from now on. In the caller's transaction, which it locks the row for.

    Raises UploadProcessing for a file that is being checked, and ValidationError for the field unless it is proven.
    """
    file = tenant.files.select_for_update().filter(key=key, purpose=purpose).exclude(state=State.DELETED).first()
    if file is None:
        raise ValidationError({field: "No upload has this key."})
    if file.state == State.UPLOADED:
        raise UploadProcessing
    if file.state != State.READY:
        raise ValidationError({field: file.reason or "This file has not been uploaded."})
    file.expires_at = None
    file.save(update_fields=["expires_at"])
    return file


def release(file: StoredFile) -> None:
    """Have a file deleted soon, because nothing uses it any more. In the caller's transaction."""
    file.expires_at = timezone.now() + TO_FINISH
    file.save(update_fields=["expires_at"])


def signed_url(file: StoredFile, *, origin: str, lifetime: timedelta = LINK, filename: str = "") -> str:
    """An address that downloads the file without a token for so long. It is saved as `filename`, or its own name."""
    return files_storage().signed_url(file.key, origin=origin, lifetime=lifetime, filename=filename or file.name)


def hosted_url(key: str, *, origin: str, lifetime: timedelta = LINK) -> str:
    """An address at our own door, also where the file is in a bucket, to which the door then sends on."""
    return signatures.link_url(origin=origin, key=key, filename=key.rpartition("/")[2], lifetime=lifetime)


def open_file(file: StoredFile) -> AbstractContextManager[BinaryIO]:
    """Inside, the file on this machine, where it can be read in any order. Raises FileNotFoundError."""
    return files_storage().local(file.key)


def delete(file: StoredFile) -> None:
    """Delete a file at once. Not to be called in a transaction: no row may outlive its file and look whole."""
    StoredFile.objects.filter(tenant_id=file.tenant_id, pk=file.pk).update(state=State.DELETED)
    files_storage().delete(file.key)
    file.delete()


@transaction.atomic
def _insert(file: StoredFile, actor: Actor) -> None:
    file.save(force_insert=True)
    log_event(
        target=Target(
            file.tenant, "file", file.uuid, file.name, state=lambda: {"name": file.name, "file_key": file.key}
        ),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary="Upload reserved",
    )


def _uploaded(file: StoredFile, content: Content) -> None:
    file.size, file.md5, file.sha256 = content.size, content.md5, content.sha256
    file.upload += 1
    file.uploaded_at = timezone.now()
