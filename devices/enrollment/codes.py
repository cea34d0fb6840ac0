"""Enrollment codes: the code that a person types to enroll a device.

A code identifies one blueprint of a tenant, or its blueprint routing, so a code is unique among all of them.
"""

import secrets

from django.core.exceptions import ValidationError

from access.models import Tenant
from devices.models import Blueprint, BlueprintRouting

DIGITS = 6
ATTEMPTS = 100
FIELDS = {"enrollment_code", "enrollment_code_active"}
LINK_BYTES = 16


def lock(tenant: Tenant) -> None:
    """Lock the tenant's enrollment codes and blueprint names until the end of the transaction.

    Without the lock two concurrent calls could take the same code or name.
    """
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)


def check(code: str, owner: Blueprint | BlueprintRouting) -> None:
    """Raise ValidationError if the code belongs to another owner. Call `lock` first."""
    if _is_used_by_another(code, owner):
        raise ValidationError({"enrollment_code": "This enrollment code is already in use."})


def generate(owner: Blueprint | BlueprintRouting) -> str:
    """Return a random code of six digits that the tenant does not use yet. Call `lock` first."""
    for _ in range(ATTEMPTS):
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        if not _is_used_by_another(code, owner):
            return code
    raise RuntimeError(f"No free enrollment code in {ATTEMPTS} attempts.")


def end_generation(owner: Blueprint | BlueprintRouting) -> tuple[str, ...]:
    """End every profile and the link that were made for the code so far. The caller saves the fields that are named."""
    owner.code_generation += 1
    owner.link_key = ""
    return "code_generation", "link_key"


def new_link_key() -> str:
    """A random key of 128 bits, for a link that can be used in place of the code."""
    return secrets.token_urlsafe(LINK_BYTES)


def _is_used_by_another(code: str, owner: Blueprint | BlueprintRouting) -> bool:
    blueprints = owner.tenant.blueprints.filter(enrollment_code=code)
    routing = BlueprintRouting.objects.filter(tenant=owner.tenant, enrollment_code=code)
    if isinstance(owner, Blueprint):
        return routing.exists() or blueprints.exclude(pk=owner.pk).exists()
    return blueprints.exists()
