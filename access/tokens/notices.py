"""Which events of tokens the Account Owner and the webhooks are told of."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from access.audit.events import Actor
from access.kinds import TOKEN_SENSITIVE_GRANTED, Kind
from access.models import ApiToken
from access.notices.mail import mail_owners
from access.permissions import Permission, catalogue
from access.webhooks import outbox

NAMED = 10  # permissions that a mail names; it counts the others


def notify(
    *,
    kind: Kind,
    token: ApiToken,
    actor: Actor | None = None,
    at: datetime | None = None,
    facts: dict[str, str] | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Mail the Account Owner, if the kind is one of those, and store the message for webhooks that subscribe to it.

    Belongs inside the transaction of the change, after its `log_event`: a change that is rolled back has neither, and a
    committed one has each once. `facts` are added to the mail, and `data` to the message; neither may hold a secret.
    """
    at = at or timezone.now()
    message = {"token": {"id": str(token.id), "name": token.name}, "actor": actor and _author(actor), **(data or {})}
    outbox.publish(tenant=token.tenant, kind=kind, data=message, at=at)
    mail_owners(
        tenant=token.tenant,
        kind=kind,
        subject=token.name,
        path=reverse("token", args=[token.id]),
        facts={**_who(actor), **(facts or {})},
        at=at,
    )


def notify_of_sensitive(*, token: ApiToken, added: Iterable[str], actor: Actor) -> None:
    """Notify of the sensitive permissions among those that the token was given. Without one it does nothing."""
    sensitive = [permission for permission in catalogue.known(added) if permission.sensitive]
    if sensitive:
        notify(
            kind=TOKEN_SENSITIVE_GRANTED,
            token=token,
            actor=actor,
            facts={"Permissions": _named(sensitive)},
            data={"permissions": [permission.codename for permission in sensitive]},
        )


def _named(permissions: list[Permission]) -> str:
    names = ", ".join(permission.label for permission in permissions[:NAMED])
    others = len(permissions[NAMED:])
    return f"{names} and {others} more" if others else names


def _author(actor: Actor) -> dict[str, str | None]:
    return {"type": actor.type, "id": actor.id, "name": actor.name, "address": actor.address or None}


def _who(actor: Actor | None) -> dict[str, str]:
    if actor is None:
        return {}
    who = {"Who": f"{actor.name} ({actor.type.label})"}
    return who | {"From": actor.address} if actor.address else who
