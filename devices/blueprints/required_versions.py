"""The version of the system that a Blueprint requires of its Macs, and of its iPhones and iPads."""

import re
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.declarations import planning
from devices.declarations.support import SOFTWARE_UPDATES
from devices.models import Blueprint, Platform, RequiredVersion
from devices.versions import version_of

Family = RequiredVersion.Family
_VERSION = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}", re.ASCII)
_FIRST = {Family.MAC: SOFTWARE_UPDATES[Platform.MAC], Family.MOBILE: SOFTWARE_UPDATES[Platform.IPHONE]}
WESTERNMOST = timedelta(hours=-12)  # of all offsets from UTC: there a moment comes last


@transaction.atomic
def require_version(
    *, tenant: Tenant, blueprint_id: UUID, family: Family, version: str, date: date, time: time, actor: Actor
) -> RequiredVersion:
    """Have the devices of a Blueprint update themselves to a version by a moment of their own clocks.

    Raises Blueprint.DoesNotExist, and ValidationError for a version that no device would take so, or a moment that is
    over.
    """
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    first, numbers = _FIRST[family], version_of(version)
    if not _VERSION.fullmatch(version) or numbers is None:
        raise ValidationError({"version": "Enter a version such as 26.1 or 26.1.2."})
    if numbers < first:
        raise ValidationError({"version": f"Devices take this for {family.label} {first[0]} and later."})
    if _is_over(date, time):
        raise ValidationError({"date": "This moment is over. Choose one to come."})
    now = blueprint.required_versions.filter(family=family).first()
    before = _words(now)
    fields = {"version": version, "date": date, "time": time}
    if now is not None and all(getattr(now, name) == value for name, value in fields.items()):
        return now
    row, _ = blueprint.required_versions.update_or_create(family=family, defaults=fields)
    planning.reconsider(blueprint)
    _log(blueprint, actor, family, before, _words(row))
    return row


@transaction.atomic
def require_no_version(*, tenant: Tenant, blueprint_id: UUID, family: Family, actor: Actor) -> None:
    """Take the requirement back. Nothing happens if there is none. Raises Blueprint.DoesNotExist."""
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    now = blueprint.required_versions.filter(family=family).first()
    if now is None:
        return
    before = _words(now)
    now.delete()
    planning.reconsider(blueprint)
    _log(blueprint, actor, family, before, "")


def copy_required_versions(source: Blueprint, blueprint: Blueprint) -> None:
    """Give a new Blueprint what another one requires."""
    RequiredVersion.objects.bulk_create(
        RequiredVersion(blueprint=blueprint, family=row.family, version=row.version, date=row.date, time=row.time)
        for row in source.required_versions.order_by("pk")
    )


def _is_over(date: date, time: time) -> bool:
    """Whether the moment is over everywhere."""
    latest = (timezone.now() + WESTERNMOST).replace(tzinfo=None)
    return datetime.combine(date, time) < latest


def _words(row: RequiredVersion | None) -> str:
    return f"{row.version} by {row.date} {row.time:%H:%M}" if row else ""


def _log(blueprint: Blueprint, actor: Actor, family: Family, old: str, new: str) -> None:
    field = {Family.MAC: "required_macos", Family.MOBILE: "required_ios"}[family]
    log_event(
        target=Target(blueprint.tenant, "blueprint", blueprint.uuid, blueprint.name, state=partial(_state, blueprint)),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary=f"Required {family.label} version {'set' if new else 'removed'}",
        changes={field: {"old": old, "new": new}},
    )


def _state(blueprint: Blueprint) -> dict[str, Any]:
    rows = {row.family: row for row in blueprint.required_versions.all()}
    return {
        "name": blueprint.name,
        "required_macos": _words(rows.get(Family.MAC)),
        "required_ios": _words(rows.get(Family.MOBILE)),
    }
