"""Mail to the Account Owner about events that touch the security of the tenant.

The event is stored in the transaction of its change. A task sends one mail about all events that wait, at most
MAILS_AN_HOUR for a tenant: the events that come after these wait for the next hour and share one mail. A worker that is
lost after sending sends the same mail again, under the same Message-ID.
"""

import uuid
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.template.loader import render_to_string
from django.utils import timezone

from access.addresses import web_origin
from access.kinds import KINDS, Kind
from access.models import OwnerNotice, Role, Tenant
from access.tasks.backend import task

MAILS_AN_HOUR = 10
LISTED = 25  # events that one mail describes; it counts the others
SEND_AGAIN_AFTER = timedelta(hours=1)  # past the last retry of the task: the mail server was away for longer
STAY = timedelta(days=7)


def mail_owners(*, tenant: Tenant, kind: Kind, subject: str, path: str, facts: dict[str, str], at: datetime) -> None:
    """Have the Account Owner mailed, if the kind is one of those. Belongs inside the transaction of the change.

    `path` is the page of the object that the event is about. `facts` are stored and mailed: never pass a secret.
    """
    if not kind.mailed:
        return
    if not connection.in_atomic_block:
        raise RuntimeError("A notice is stored in the transaction of its change.")
    OwnerNotice.objects.create(
        tenant=tenant, kind=kind.id, subject=" ".join(subject.split()), path=path, facts=facts, created_at=at
    )
    send_notices.enqueue(tenant.pk, str(uuid.uuid4()))


@task(retries=6)
def send_notices(tenant_id: int, mail: str) -> None:
    """Send the mail with this id about all events that wait. A second run sends nothing if the first one was done."""
    notices = _claim(tenant_id, uuid.UUID(mail))
    if not notices:
        return
    tenant = notices[0].tenant
    owners = tenant.administrators.filter(role=Role.OWNER, is_active=True)
    for owner in owners if tenant.active else ():
        _message(notices, mail, owner.name, owner.email).send()
    OwnerNotice.objects.filter(tenant_id=tenant_id, mail=mail).update(mailed_at=timezone.now())


@task()
def send_waiting_notices() -> None:
    """Have the events mailed that had to wait for the next hour, and those whose mail could not be sent."""
    now = timezone.now()
    OwnerNotice.objects.filter(mailed_at__isnull=True, claimed_at__lt=now - SEND_AGAIN_AFTER).update(
        mail=None, claimed_at=None
    )
    OwnerNotice.objects.filter(created_at__lt=now - STAY).delete()
    waiting = OwnerNotice.objects.filter(mailed_at__isnull=True, mail__isnull=True)
    for tenant_id in waiting.order_by("tenant_id").values_list("tenant_id", flat=True).distinct():
        send_notices.enqueue(tenant_id, str(uuid.uuid4()))


@transaction.atomic
def _claim(tenant_id: int, mail: uuid.UUID) -> list[OwnerNotice]:
    """The events of this mail. They are none while the tenant had its mails of this hour."""
    # One at a time for each tenant, so that two workers neither share an event nor both send the last mail of the hour.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
    notices = OwnerNotice.objects.filter(tenant_id=tenant_id).select_related("tenant").order_by("created_at", "pk")
    now = timezone.now()
    if not notices.filter(mail=mail).exists():
        recent = notices.filter(claimed_at__gt=now - timedelta(hours=1)).order_by()
        if recent.values("mail").distinct().count() >= MAILS_AN_HOUR:
            return []
        notices.filter(mail__isnull=True).order_by().update(mail=mail, claimed_at=now)
    return list(notices.filter(mail=mail, mailed_at__isnull=True))


def _message(notices: list[OwnerNotice], mail: str, name: str, email: str) -> EmailMessage:
    kinds = [KINDS[notice.kind] for notice in notices if notice.kind in KINDS]
    if len(notices) == 1 and kinds:
        subject = f"{kinds[0].label}: {notices[0].subject}"
    else:
        subject = f"{len(notices)} events that you should know of"
    context = {
        "name": name,
        "tenant": notices[0].tenant,
        "events": [(notice, KINDS.get(notice.kind), _facts(notice)) for notice in notices[:LISTED]],
        "others": len(notices[LISTED:]),
        "advices": list(dict.fromkeys(kind.advice for kind in kinds)),
        "origin": web_origin(),
    }
    body = render_to_string("access/notices/mail.txt", context)
    identity = uuid.uuid5(uuid.UUID(mail), email)
    headers = {"Message-ID": f"<{identity}@{settings.IRU_DOMAIN}>"}
    return EmailMessage(f"Iru Endpoint: {subject}", body, to=[email], headers=headers)


def _facts(notice: OwnerNotice) -> list[tuple[str, str]]:
    when = notice.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [*notice.facts.items(), ("When", when)]
