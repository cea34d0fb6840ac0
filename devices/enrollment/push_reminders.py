"""Reminders of push certificates that expire soon, by mail to the Account Owner and to webhooks, each once."""

from django.urls import reverse
from django.utils import timezone

from access.kinds import PUSH_CERTIFICATE_EXPIRING
from access.notices.due import remind
from access.notices.mail import mail_owners
from access.tasks.backend import task
from access.webhooks import outbox
from devices.models import PushCertificate

DAYS = (60, 30, 14, 7, 1)  # before the end


@task()
def remind_of_push_certificates() -> None:
    """Remind of each certificate that ends soon. A second run does nothing."""
    remind(PushCertificate.objects.filter(simulated=False), ends="not_after", days=DAYS, send=_remind)


def _remind(row: PushCertificate, days: int) -> None:
    now, ends = timezone.now(), row.not_after
    assert ends is not None  # noqa: S101 - `remind` finds no other
    outbox.publish(
        tenant=row.tenant,
        kind=PUSH_CERTIFICATE_EXPIRING,
        data={"days": days, "expires_at": ends.isoformat(timespec="seconds"), "topic": row.topic},
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
