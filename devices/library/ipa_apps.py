"""In-house apps: .ipa files for iPhone, iPad and Apple TV."""

from typing import TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from access.audit.events import Actor
from access.models import Tenant
from devices.library import app_files, items
from devices.library.kinds import IPA_APP
from devices.models import IpaApp, LibraryItem, StoredFile
from devices.storage.checks import look_for_upload

RUNS_ON = {"runs_on_iphone": "iPhone", "runs_on_ipad": "iPad", "runs_on_tv": "AppleTV"}


class IpaAppFields(TypedDict, total=False):
    """The fields of an in-house app that can be set."""

    name: str
    active: bool
    file_key: str
    runs_on_iphone: bool
    runs_on_ipad: bool
    runs_on_tv: bool


def ipa_apps(tenant: Tenant) -> QuerySet[LibraryItem]:
    """The tenant's in-house apps with their files, in the order of the API's list."""
    return items.items_of(tenant, IPA_APP).select_related("ipa_app__file")


def upload_status(tenant: Tenant, upload_id: UUID) -> StoredFile:
    """The upload in its current state. Raises StoredFile.DoesNotExist."""
    uploads = tenant.files.filter(purpose=StoredFile.Purpose.IPA_APP).exclude(state=StoredFile.State.DELETED)
    return look_for_upload(uploads.select_related("tenant").get(uuid=upload_id))


def create_app(*, tenant: Tenant, actor: Actor, **fields: Unpack[IpaAppFields]) -> LibraryItem:
    """Add an app whose file was uploaded. If no family is given, the app runs on the families that its file names.

    Raises UploadProcessing while the file is being checked, and ValidationError for a file that cannot be used.
    """
    app_files.look(tenant, fields["file_key"])
    with transaction.atomic():
        item = items.new_item(tenant, IPA_APP)
        _assign(item, fields)
        if not RUNS_ON.keys() & fields.keys():
            families = item.ipa_app.file.metadata["supported_device_families"]
            for name, family in RUNS_ON.items():
                setattr(item.ipa_app, name, family in families)
        items.insert(item, actor)
    return item


def update_app(*, tenant: Tenant, item_id: UUID, actor: Actor, **fields: Unpack[IpaAppFields]) -> LibraryItem:
    """Change an app, or replace its file. Fields that are not given stay as they are.

    Raises LibraryItem.DoesNotExist, and the errors of `create_app`.
    """
    app_files.look(tenant, fields.get("file_key"))
    with transaction.atomic():
        item = items.locked(tenant, IPA_APP, item_id)
        before = items.values(item)
        _assign(item, fields)
        if item.ipa_app.file_key != before["file_key"]:
            item.ipa_app.save(update_fields=["file", "file_updated"])
        items.save(item, before, actor)
    return item


def _assign(item: LibraryItem, fields: IpaAppFields) -> None:
    app: IpaApp = item.ipa_app
    key = app.file_key
    items.assign(item, fields)
    if app.file_key != key:
        app_files.use(app, item.tenant, app.file_key)
