"""A person as the author of changes for as long as that person has the right: by a worker, or to other people."""

from dataclasses import replace

from access.audit.events import Actor
from access.models import Administrator, Tenant
from access.refusals import Refusal
from access.roles import Capability, may


class NotAllowedAnyMore(Refusal):
    """The person was removed or suspended, or now has another role."""

    status = 403


def lasting_actor(*, administrator: Administrator, tenant: Tenant, capability: Capability, address: str = "") -> Actor:
    """The person as the author of changes that need `capability`, at `address`.

    Once the person or the tenant loses the right, each change raises NotAllowedAnyMore.
    """

    def confirm() -> None:
        found = tenant.administrators.filter(pk=administrator.pk, is_active=True, tenant__active=True).first()
        if found is None or not may(found, capability):
            raise NotAllowedAnyMore(f"{administrator.name} may not do this any more.")

    return replace(Actor.of(administrator, address), confirm=confirm)
