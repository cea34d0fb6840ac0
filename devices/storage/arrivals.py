"""A complete upload that arrived through this server, and is not published yet."""

from django.db import transaction

from devices.models import StoredFile
from devices.storage.backends import Incoming
from devices.storage.checks import check_file
from devices.storage.files import AlreadyUploaded, accept_upload


@transaction.atomic
def publish(key: str, incoming: Incoming) -> StoredFile:
    """Publish the file under the lock of its row, and have it checked. A repeated call changes nothing.

    Raises StoredFile.DoesNotExist, also for an inactive tenant, and AlreadyUploaded.
    """
    file = StoredFile.objects.select_for_update(of=("self",)).get(key=key, tenant__active=True)
    content = incoming.content
    try:
        accept_upload(file, content)
    except AlreadyUploaded:
        if file.state == StoredFile.State.READY and file.sha256 == content.sha256:
            return file
        raise
    incoming.publish()
    check_file.enqueue(file.pk, file.upload)
    return file
