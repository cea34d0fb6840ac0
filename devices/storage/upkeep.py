"""Delete files that were reserved or uploaded but never used, and files that are no longer used."""

import logging

from django.utils import timezone

from access.tasks.backend import task
from devices.models import StoredFile
from devices.storage.backends import files_storage
from devices.storage.checks import LONGEST_CHECK
from devices.storage.files import State, delete

BATCH = 500

logger = logging.getLogger(__name__)


@task()
def clean_up_files() -> None:
    """Delete every expired file. Harmless when it runs twice, or is killed during the run."""
    now = timezone.now()
    for file in StoredFile.objects.filter(state=State.UPLOADED, uploaded_at__lt=now - LONGEST_CHECK):
        kind = "IPA file" if file.purpose == StoredFile.Purpose.IPA_APP else "file"
        StoredFile.objects.filter(tenant_id=file.tenant_id, pk=file.pk, state=State.UPLOADED).update(
            state=State.REFUSED, reason=f"The {kind} validation timed out"
        )
    removed = 0
    for file in list(StoredFile.objects.filter(expires_at__lt=now).order_by("expires_at")[:BATCH]):
        if _condemned(file):
            delete(file)
            removed += 1
    removed += files_storage().clean_up()
    if removed:
        logger.info("Unused files were deleted: %d.", removed)


def _condemned(file: StoredFile) -> bool:
    """Mark the file as deleted, so that it can no longer be used. Returns False if it has just come into use."""
    expired = StoredFile.objects.filter(tenant_id=file.tenant_id, pk=file.pk, expires_at__lt=timezone.now())
    return bool(expired.update(state=State.DELETED))
