"""Custom apps: packages, archives and disk images for Macs. Published clients rely on the exact texts of the rules."""

from typing import TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from access.audit.events import Actor
from access.models import Tenant
from devices.library import app_files, items
from devices.library.kinds import CUSTOM_APP
from devices.models import CustomApp, LibraryItem

LONGEST_SCRIPT = 250_000  # characters; the body of a call has room for three scripts
_SCRIPTS = ("audit_script", "preinstall_script", "postinstall_script")
_Enforcement, _InstallType = CustomApp.Enforcement, CustomApp.InstallType


class CustomAppFields(TypedDict, total=False):
    """The fields of a custom app that can be set."""

    name: str
    active: bool
    file_key: str
    install_type: str
    install_enforcement: str
    unzip_location: str
    audit_script: str
    preinstall_script: str
    postinstall_script: str
    restart: bool
    show_in_self_service: bool
    self_service_category_id: UUID | None
    self_service_recommended: bool


def custom_apps(tenant: Tenant) -> QuerySet[LibraryItem]:
    """The tenant's custom apps with their files, in the order of the API's list."""
    return items.items_of(tenant, CUSTOM_APP).select_related("category", "custom_app__file")


def create_app(*, tenant: Tenant, actor: Actor, **fields: Unpack[CustomAppFields]) -> LibraryItem:
    """Add an app whose file was uploaded.

    Raises UploadProcessing while the file is being checked, and ValidationError for a file that cannot be used and for
    fields that contradict each other.
    """
    app_files.look(tenant, fields["file_key"])
    with transaction.atomic():
        item = items.new_item(tenant, CUSTOM_APP)
        _assign(item, fields)
        items.insert(item, actor)
    return item


def update_app(*, tenant: Tenant, item_id: UUID, actor: Actor, **fields: Unpack[CustomAppFields]) -> LibraryItem:
    """Change an app, or replace its file. Fields that are not given stay as they are.

    Raises LibraryItem.DoesNotExist, and the errors of `create_app`.
    """
    app_files.look(tenant, fields.get("file_key"))
    with transaction.atomic():
        item = items.locked(tenant, CUSTOM_APP, item_id)
        before = items.values(item)
        _assign(item, fields)
        if item.custom_app.file_key != before["file_key"]:
            item.custom_app.save(update_fields=["file", "file_updated"])
        items.save(item, before, actor)
    return item


def _assign(item: LibraryItem, fields: CustomAppFields) -> None:
    """Set the fields and check the whole app, the file last. Blanks at the end of scripts are removed."""
    app: CustomApp = item.custom_app
    key = app.file_key
    items.assign(item, fields)
    for name in _SCRIPTS:
        setattr(app, name, getattr(app, name).rstrip())
    _check(item, app)
    if app.file_key != key:
        app_files.use(app, item.tenant, app.file_key)
    app_files.check_install_type(app)


def _check(item: LibraryItem, app: CustomApp) -> None:
    audited = app.install_enforcement == _Enforcement.CONTINUOUSLY
    if audited and not app.audit_script:
        raise ValidationError({"audit_script": "Required when choosing continuously_enforce"})
    if app.audit_script and not audited:
        raise ValidationError({"audit_script": "Only allowed when choosing continuously_enforce"})
    if app.install_type != _InstallType.ZIP:
        app.unzip_location = ""
    elif not app.unzip_location:
        raise ValidationError({"unzip_location": "Required when choosing zip"})
    items.check_self_service(item, required=app.install_enforcement == _Enforcement.NO_ENFORCEMENT)
