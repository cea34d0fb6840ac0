"""Deletes what was reserved or uploaded and never used, and what nothing uses any more."""

import logging

from django.utils import timezone

from access.tasks.backend import task
from devices.models import StoredFile
from devices.storage.backends import files_storage
from devices.storage.checks import LONGEST_CHECK, TIMED_OUT
from devices.storage.files import State, delete

BATCH = 500

logger = logging.getLogger(__name__)


@task()
def clean_up_files() -> None:
    """Delete every file whose time is over. Harmless when it runs twice, or is killed in the middle."""
    now = timezone.now()
    StoredFile.objects.filter(state=State.UPLOADED, uploaded_at__lt=now - LONGEST_CHECK).update(
        state=State.REFUSED, reason=TIMED_OUT
    )
    removed = 0
    for file in StoredFile.objects.filter(expires_at__lt=now).order_by("expires_at")[:BATCH].iterator():
        if _condemned(file):
            delete(file)
            removed += 1
    removed += files_storage().clean_up()
    if removed:
        logger.info("Files that nothing used were deleted: %d.", removed)


def _condemned(file: StoredFile) -> bool:
    """Mark the file, unless something began to use it this moment: from now on nothing can."""
    expired = StoredFile.objects.filter(tenant_id=file.tenant_id, pk=file.pk, expires_at__lt=timezone.now())
    return bool(expired.update(state=State.DELETED))
