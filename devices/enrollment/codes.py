"""Enrollment codes: what a person types to enroll a device. One code leads to one place of a tenant, so its blueprints
and its routing share one set of them."""

import secrets

from django.core.exceptions import ValidationError

from access.models import Tenant
from devices.models import Blueprint, BlueprintRouting

DIGITS = 6
ATTEMPTS = 100


def lock(tenant: Tenant) -> None:
    """Until the end of the transaction nobody else takes a code or a blueprint's name in this tenant.

    Without it two calls at the same moment would both find one free.
    """
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)


def check(code: str, place: Blueprint | BlueprintRouting) -> None:
    """Raises ValidationError for a code that leads elsewhere than to `place`. Belongs after `lock`."""
    if _taken(code, place):
        raise ValidationError({"enrollment_code": "This enrollment code is already in use."})


def generate(place: Blueprint | BlueprintRouting) -> str:
    """Six digits that lead nowhere in the tenant yet. Belongs after `lock`."""
    for _ in range(ATTEMPTS):
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        if not _taken(code, place):
            return code
    raise RuntimeError(f"{ATTEMPTS} random enrollment codes were all taken.")


def _taken(code: str, place: Blueprint | BlueprintRouting) -> bool:
    blueprints = place.tenant.blueprints.filter(enrollment_code=code)
    routing = BlueprintRouting.objects.filter(tenant=place.tenant, enrollment_code=code)
    if isinstance(place, Blueprint):
        return routing.exists() or blueprints.exclude(pk=place.pk).exists()
    return blueprints.exists()
