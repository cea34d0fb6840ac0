"""The record of the pages that operators open in Django admin. It is written before the data of others is shown."""

from typing import Any

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.logs import redact
from access.models import AuditEvent, Tenant

LONGEST = 200  # characters of one value of a search that are stored
LONGEST_NAME = AuditEvent._meta.get_field("target_name").max_length


@transaction.atomic
def log_opening(*, tenant: Tenant | None, type: str, id: object, name: str, actor: Actor) -> None:
    """Write that an operator opened the page of an object: to the trail of the installation, and to the tenant's own.

    The trail of the installation shows everything that an operator opened. The trail of the tenant shows its own people
    which operator opened their data. Both events are written, or neither.
    """
    for trail in [None, tenant] if tenant else [None]:
        log_event(
            target=Target(trail, type, id, name[:LONGEST_NAME]),
            actor=actor,
            action=AuditEvent.Action.READ,
            summary="Opened by an operator",
            metadata=_with_address(actor, {"tenant": tenant.subdomain} if tenant and trail is None else {}),
        )


@transaction.atomic
def log_listing(*, type: str, name: str, query: dict[str, str], actor: Actor) -> None:
    """Write to the trail of the installation that an operator opened a list, searched it or filtered it.

    A secret may be pasted into a search by mistake, so anything shaped like one is stored as a fingerprint.
    """
    log_event(
        target=Target(None, type, "", name),
        actor=actor,
        action=AuditEvent.Action.READ,
        summary="List searched by an operator" if query else "List opened by an operator",
        metadata=_with_address(actor, {"query": {key: redact(value[:LONGEST]) for key, value in query.items()}}),
    )


def _with_address(actor: Actor, facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, **({"address": actor.address} if actor.address else {})}
