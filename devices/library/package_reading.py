"""Reads the packages that were uploaded before this server could read them."""

import logging
import time

from django.db import transaction

from access.tasks.backend import task
from devices.library.app_files import read_package
from devices.library.desired.changes import item_changed
from devices.models import CustomApp, LibraryItem, StoredFile
from devices.storage import files
from devices.storage.backends import StorageAway

BATCH = 100
MOST_VERSIONS = 1000
LONGEST = 5 * 60  # seconds, after which the rest waits for the next run
LOST = "The file of the package is lost."

logger = logging.getLogger(__name__)


@task()
def read_packages() -> None:
    """Read those packages, one after the other, and have the devices compared that are to have them.

    Harmless when it runs twice, or is killed: what was read is stored package by package.
    """
    began = time.monotonic()
    _give_versions()
    unread = StoredFile.objects.filter(
        purpose=StoredFile.Purpose.CUSTOM_APP,
        state=StoredFile.State.READY,
        metadata__install_type=CustomApp.InstallType.PACKAGE,
        metadata__package__isnull=True,
    )
    for file in unread.select_related("tenant").order_by("pk")[:BATCH]:
        if time.monotonic() - began > LONGEST:
            break
        try:
            _read(file)
        except StorageAway:  # it is read when its storage is there again; others may be elsewhere
            logger.warning("The package %s could not be read, because its storage is away.", file.uuid)


def _read(file: StoredFile) -> None:
    try:
        with files.open_file(file) as content:
            found = read_package(content)
    except FileNotFoundError:
        found = {"package": {"problem": LOST}}
    with transaction.atomic():
        row = file.tenant.files.select_for_update().filter(pk=file.pk, upload=file.upload).first()
        if row is None or row.state != StoredFile.State.READY or "package" in row.metadata:
            return
        row.metadata |= found
        row.save(update_fields=["metadata"])
        # An item that takes the file just now waits for its lock.
        for item in file.tenant.library_items.filter(custom_app__file=file):
            item_changed(item)
    logger.info("The package %s was read.", file.uuid)


def _give_versions() -> None:
    """The versions of custom apps from before they had one: the digests of their files."""
    apps = CustomApp.objects.filter(item__version="").exclude(file__sha256="").values_list("item", "file__sha256")
    for pk, digest in apps[:MOST_VERSIONS]:
        LibraryItem.objects.filter(pk=pk, version="").update(version=digest)
