"""Reminders of push certificates that expire soon, by mail to the Account Owner and to webhooks, each once."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from access.kinds import PUSH_CERTIFICATE_EXPIRING
from access.notices.due import last_due
from access.notices.mail import mail_owners
from access.tasks.backend import task
from access.webhooks import outbox
from devices.models import PushCertificate

DAYS = (60, 30, 14, 7, 1)  # before the end


@task()
def remind_of_push_certificates() -> None:
    """Remind of each certificate that ends soon. A second run does nothing: each reminder is noted in the row."""
    now = timezone.now()
    near = PushCertificate.objects.filter(
        Q(reminded_days=None) | Q(reminded_days__gt=min(DAYS)),
        simulated=False,
        tenant__active=True,
        not_after__gt=now,
        not_after__lte=now + timedelta(days=max(DAYS)),
    )
    for tenant_id in near.order_by("not_after", "pk").values_list("pk", flat=True):
        _remind(tenant_id)


@transaction.atomic
def _remind(tenant_id: int) -> None:
    row = PushCertificate.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=tenant_id)
    now, ends = timezone.now(), row.not_after
    if ends is None or ends <= now or row.simulated:
        return
    due = last_due(ends, now, DAYS)
    if due is None or (row.reminded_days is not None and row.reminded_days <= due):
        return
    row.reminded_days = due
    row.save(update_fields=["reminded_days"])
    outbox.publish(
        tenant=row.tenant,
        kind=PUSH_CERTIFICATE_EXPIRING,
        data={"days": due, "expires_at": ends.isoformat(timespec="seconds"), "topic": row.topic},
        at=now,
    )
    mail_owners(
        tenant=row.tenant,
        kind=PUSH_CERTIFICATE_EXPIRING,
        subject=row.tenant.name,
        path=reverse("push-certificate"),
        facts={"Expires": f"{ends:%Y-%m-%d %H:%M} UTC", "Apple account": row.apple_account or "Not noted"},
        at=now,
    )
