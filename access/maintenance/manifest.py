"""The description inside a backup: where the backup came from, and which version and keys a restore needs."""

from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, ValidationError

from access.maintenance.keys import SETTINGS, fingerprints, uses
from access.maintenance.refusals import Refused
from access.models import AuditHead

FORMAT = 1
NAME = "manifest.json"


class Head(BaseModel):
    """The head of an audit trail: of a tenant, or of the installation without one."""

    tenant: str | None
    sequence: int
    mac: str


class Content(BaseModel):
    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    model_config = ConfigDict(extra="ignore")

    format: int
    version: str
    made_at: datetime
    engine: str
    engine_version: str
    database: Content
    migrations: list[tuple[str, str]]
    keys: dict[str, dict[int, str]]  # {setting: {number: fingerprint}} of the keys that rows are under
    lost_keys: dict[str, list[int]] = {}  # numbers that rows are under, and that were not configured
    heads: list[Head]
    files: int | None = None  # the number of files that are included; None for a backup without files


def describe(*, database: Content, files: int | None) -> Manifest:
    """The manifest of a backup whose content the default connection sees."""
    keys: dict[str, dict[int, str]] = {}
    lost: dict[str, list[int]] = {}
    for setting, counts in uses().items():
        known = fingerprints(setting)
        keys[setting] = {number: known[number] for number in sorted(counts) if number in known}
        if unknown := sorted(set(counts) - set(known)):
            lost[setting] = unknown  # no reason to be without a backup of all the rest
    heads = AuditHead.objects.select_related("tenant").order_by("tenant_id")
    return Manifest(
        format=FORMAT,
        version=settings.VERSION,
        made_at=timezone.now(),
        engine=connection.vendor,
        engine_version=".".join(map(str, connection.get_database_version())),
        database=database,
        migrations=sorted(MigrationRecorder(connection).applied_migrations()),
        keys=keys,
        lost_keys=lost,
        heads=[
            Head(tenant=head.tenant.subdomain if head.tenant else None, sequence=head.sequence, mac=head.mac)
            for head in heads
        ],
        files=files,
    )


def parse(text: bytes) -> Manifest:
    """Raises Refused for a text that is no manifest, or one of a newer format."""
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError:
        raise Refused(
            "The manifest of this backup cannot be read: it is damaged, or no backup of this product."
        ) from None
    if manifest.format > FORMAT:
        raise Refused(
            f"This backup has format {manifest.format}; this version reads formats up to {FORMAT}. Install version "
            f"{manifest.version} or a later one first."
        )
    return manifest


def check_restorable(manifest: Manifest) -> None:
    """Raises Refused for a backup of another engine, of a newer version, or one whose keys are not configured."""
    engine = connection.vendor
    if manifest.engine != engine:
        raise Refused(f"This is a backup of {manifest.engine}, and DATABASE_URL names a {engine} database.")
    known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    unknown = [f"{app}.{name}" for app, name in manifest.migrations if (app, name) not in known]
    if unknown or _numbers(manifest.version) > _numbers(settings.VERSION):
        raise Refused(
            f"This backup was made by version {manifest.version}, which is newer than this one ({settings.VERSION}"
            f"{f'; it has the migration {unknown[0]}' if unknown else ''}). Install that version first."
        )
    for setting in SETTINGS:
        configured = fingerprints(setting)
        for number, fingerprint in manifest.keys.get(setting, {}).items():
            if number not in configured:
                raise Refused(f"This backup needs key {number} of {setting}, which is not configured.")
            if configured[number] != fingerprint:
                raise Refused(
                    f"Key {number} of {setting} is another one than the backup was made with (fingerprint "
                    f"{configured[number]} instead of {fingerprint})."
                )


def _numbers(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]
