"""The change to a new audit key: one event under it in each trail, after which no older key can extend the trail."""

from django.db import transaction
from django.db.models import Q

from access.audit.chain import FIRST_KEY, key_of, trail_name
from access.audit.events import Actor, Target, log_event
from access.keyrings import audit_keyring
from access.maintenance.engines import Progress
from access.models import AuditEvent, AuditHead, Tenant


def newest_audit_key() -> int:
    return audit_keyring()[0][0]


def trails_under_older_keys() -> list[Tenant | None]:
    """The tenants whose trails end under another key than the newest; None stands for the installation."""
    newest = Q(key_number=newest_audit_key())
    if newest_audit_key() == FIRST_KEY:
        newest |= Q(key_number=None)
    heads = AuditHead.objects.filter(sequence__gt=0).exclude(newest).select_related("tenant").order_by("pk")
    return [head.tenant for head in heads]


def begin_newest_key(*, actor: Actor, progress: Progress) -> int:
    """Add an event under the newest key to each trail that ends under another one. Returns their number.

    A run that was interrupted is continued by the next one.
    """
    trails = trails_under_older_keys()
    for number, tenant in enumerate(trails, 1):
        _begin(tenant, actor)
        progress("Audit trails", number, len(trails))
    return len(trails)


@transaction.atomic
def _begin(tenant: Tenant | None, actor: Actor) -> None:
    former = key_of(AuditHead.objects.get(tenant=tenant))
    log_event(
        target=Target.whole(tenant) if tenant else Target(None, "installation", "", trail_name(None)),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Audit key changed",
        changes={"key": {"old": former, "new": newest_audit_key()}},
    )
