"""Ways for people who are not signed in to the profile that enrolls their device: a link, or a code that they type.

A link stands for the enrollment code of a Blueprint, or of the Blueprint routing. It is over once the code is changed
or deactivated, and the organization is not suspended.
"""

import re
from typing import Any
from uuid import UUID

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.enrollment import codes
from devices.enrollment.routing import routing_of
from devices.models import Blueprint, BlueprintRouting

type Owner = Blueprint | BlueprintRouting

LINK_KEY = re.compile(r"[\w-]{22}", re.ASCII)  # of codes.new_link_key
PASS_KEY = re.compile(r"(?P<kind>blueprint|routing)\.(?P<pk>\d{1,18})\.(?P<generation>\d{1,9})", re.ASCII)
PASS_LIFE = 3600  # seconds in which a visitor who entered a code can download the profile
NOT_ACTIVE = "Devices cannot enroll with this enrollment code. Activate it first."
ALIVE = {"enrollment_code_active": True, "tenant__active": True}

_passes = signing.TimestampSigner(salt="devices.enrollment.links")


@transaction.atomic
def create_link(*, tenant: Tenant, blueprint_id: UUID | None, actor: Actor) -> Owner:
    """Give the Blueprint a link for enrollment, or the routing without a Blueprint; one that has a link keeps it.

    Raises Blueprint.DoesNotExist, and ValidationError if the enrollment code is not active.
    """
    owner = _locked(tenant, blueprint_id)
    if not owner.link_key:
        _put_link(owner, actor, "Enrollment link created")
    return owner


@transaction.atomic
def replace_link(*, tenant: Tenant, blueprint_id: UUID | None, actor: Actor) -> Owner:
    """Give it another link; the old one stops working at once. The profiles that it gave stay valid.

    Raises the same errors as `create_link`.
    """
    owner = _locked(tenant, blueprint_id)
    _put_link(owner, actor, "Enrollment link replaced")
    return owner


def owner_of_code(*, subdomain: str, code: str) -> Owner | None:
    """The Blueprint or the routing whose code a visitor typed; None if no device can enroll with it."""
    return _first(tenant__subdomain=subdomain, enrollment_code=code)


def pass_key(owner: Owner) -> str:
    """A key for an address, by which a visitor who has entered the code gets its profile within an hour."""
    kind = "blueprint" if isinstance(owner, Blueprint) else "routing"
    return _passes.sign(f"{kind}.{owner.pk}.{owner.code_generation}")


def owner_of_key(key: str) -> Owner | None:
    """The owner of a link, or of a `pass_key`; None if it is over, or never was one."""
    if LINK_KEY.fullmatch(key):
        return _first(link_key=key)
    try:
        words = PASS_KEY.fullmatch(_passes.unsign(key, max_age=PASS_LIFE))
    except signing.BadSignature:
        return None
    if words is None:
        return None
    find = _blueprint if words["kind"] == "blueprint" else _routing
    return find(pk=words["pk"], code_generation=words["generation"])


def _first(**which: Any) -> Owner | None:
    return _blueprint(**which) or _routing(**which)


def _blueprint(**which: Any) -> Blueprint | None:
    return Blueprint.objects.select_related("tenant").filter(**ALIVE, **which).first()


def _routing(**which: Any) -> BlueprintRouting | None:
    return BlueprintRouting.objects.select_related("tenant").filter(**ALIVE, **which).first()


def _locked(tenant: Tenant, blueprint_id: UUID | None) -> Owner:
    codes.lock(tenant)  # a change of the code ends its link
    blueprints = tenant.blueprints.select_for_update()
    owner = routing_of(tenant) if blueprint_id is None else blueprints.get(uuid=blueprint_id)
    if not owner.enrollment_code_active:
        raise ValidationError(NOT_ACTIVE)
    return owner


def _put_link(owner: Owner, actor: Actor, summary: str) -> None:
    # 128 random bits: no key of a Blueprint is that of a routing either.
    owner.link_key = codes.new_link_key()
    if isinstance(owner, Blueprint):
        owner.save(update_fields=["link_key", "updated_at"])
        target = Target(owner.tenant, "blueprint", owner.uuid, owner.name, "enrollment_link")
    else:
        owner.save(update_fields=["link_key"])
        target = Target(owner.tenant, "blueprint_routing", owner.pk, "Blueprint routing", "enrollment_link")
    log_event(target=target, actor=actor, action=AuditEvent.Action.UPDATE, summary=summary)
