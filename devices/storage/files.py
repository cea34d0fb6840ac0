"""Files of a tenant: reserve an upload, store a file of the server itself, and use, open and delete files.

A file has an expiry date until something uses it (`claim`). So the files of interrupted work are deleted.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.maintenance.tenant_export import TenantFile
from access.models import AuditEvent, Tenant
from access.refusals import Refusal
from devices.models import StoredFile
from devices.storage import keys, signatures
from devices.storage.backends import Content, PresignedPost, files_storage

State, Purpose = StoredFile.State, StoredFile.Purpose

TO_UPLOAD = timedelta(hours=24)  # within which an upload must begin
TO_USE = timedelta(hours=24)  # after which an unused upload is deleted
TO_FINISH = timedelta(hours=1)  # for running downloads of a file that is no longer used
LINK = timedelta(hours=1)


class UploadProcessing(Refusal):
    """The upload arrived and is being checked. The caller should repeat the call a moment later."""

    status = 503
    cause = "processing"

    def __init__(self) -> None:
        super().__init__("The upload is still being processed.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class AlreadyUploaded(Exception):
    """The file is in use or verified, and cannot be replaced."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reserved upload: the row, the form to post, and the expiry time."""

    file: StoredFile
    post: PresignedPost
    expires: datetime


def reserve(*, tenant: Tenant, purpose: StoredFile.Purpose, name: str, origin: str, actor: Actor) -> Reservation:
    """Reserve an upload. `origin` is the scheme and host at which the caller reached the API."""
    expires = timezone.now() + TO_UPLOAD
    key = keys.new_key(tenant, purpose, name)
    file = StoredFile(tenant=tenant, key=key, purpose=purpose, name=name, expires_at=expires + TO_USE)
    # Before the transaction, because a bucket's credentials may have to be fetched first.
    post = files_storage().presigned_post(
        key, origin=origin, token=file.uuid.hex, lifetime=TO_UPLOAD, maximum=settings.IRU_FILES_MAXIMUM
    )
    _insert(file, actor)
    return Reservation(file, post, expires)


def reserve_here(*, tenant: Tenant, purpose: StoredFile.Purpose, name: str, actor: Actor) -> StoredFile:
    """Reserve an upload through this server itself: see `arrivals.publish`."""
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

    With `key` it replaces the file with this key, from a former attempt. Do not call it in a transaction: the row is
    committed first, so that no file stays forever if the worker is killed.
    """
    with transaction.atomic():  # a file always has a row
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
    """Note the upload in the locked row. The file is published now or before the commit. Raises AlreadyUploaded."""
    if file.state == State.DELETED or (file.expires_at is None) or file.state == State.READY:
        raise AlreadyUploaded
    _uploaded(file, content)
    file.state, file.reason, file.metadata = State.UPLOADED, "", {}
    file.expires_at = timezone.now() + TO_USE
    file.save()


def claim(*, tenant: Tenant, key: str, purpose: StoredFile.Purpose, field: str = "file_key") -> StoredFile:
    """Mark a file as used, so that it does not expire. It locks the row in the caller's transaction.

    Raises UploadProcessing for a file that is being checked, and ValidationError for the field if it is not verified.
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
    """Mark a file as no longer used, so that it expires soon. In the caller's transaction."""
    file.expires_at = timezone.now() + TO_FINISH
    file.save(update_fields=["expires_at"])


def signed_url(file: StoredFile, *, origin: str, lifetime: timedelta = LINK, filename: str = "") -> str:
    """A URL that downloads the file without a token for `lifetime`. It is saved as `filename` or its own name."""
    return files_storage().signed_url(file.key, origin=origin, lifetime=lifetime, filename=filename or file.name)


def hosted_url(key: str, *, origin: str, lifetime: timedelta = LINK) -> str:
    """A URL of the file at this server, which redirects to the bucket if the file is in one."""
    return signatures.link_url(origin=origin, key=key, filename=key.rpartition("/")[2], lifetime=lifetime)


def open_file(file: StoredFile) -> AbstractContextManager[BinaryIO]:
    """A context with the file on this machine, which can be read in any order. Raises FileNotFoundError."""
    return files_storage().local(file.key)


def files_of(tenant: Tenant) -> Iterator[TenantFile]:
    """The files of a tenant, for an export."""
    rows = StoredFile.objects.filter(tenant=tenant).exclude(state__in=[State.RESERVED, State.DELETED])
    for file in rows.order_by("pk").iterator(chunk_size=1000):
        yield TenantFile(file.key, partial(open_file, file))


def delete_contents(keys_of_rows: list[int]) -> None:
    """Delete the files of these rows, which are deleted next. Harmless for files that are gone already."""
    for key in StoredFile.objects.filter(pk__in=keys_of_rows).values_list("key", flat=True):
        files_storage().delete(key)


def delete(file: StoredFile) -> None:
    """Delete a file now. Do not call it in a transaction: a rollback would restore the row of a deleted file."""
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
