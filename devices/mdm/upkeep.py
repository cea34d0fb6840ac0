"""What becomes due with time: renewals of certificates, devices that are missing, and what is over."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from access.tasks.backend import task
from devices.commands import queue
from devices.commands.renew_mdm_profile import RenewMdmProfile
from devices.enrollment import enrollments
from devices.fleet import records
from devices.models import Device, DeviceCertificate, Enrollment, Order, UsedTicket

RENEWAL = timedelta(days=60)  # before the end of a certificate
ABANDONED = timedelta(days=1)  # an enrollment that never got beyond its first message
MISSING = timedelta(days=7)  # without contact, although Apple took a push
AT_ONCE = 500
AUTO = "auto"  # the subject of a renewal that this server sends by itself: one of a person may wait beside it

State = Enrollment.State


@task()
def tend_enrollments() -> None:
    """Do what is due for the enrollments of all tenants. Harmless when it runs twice."""
    now = timezone.now()
    UsedTicket.objects.filter(expires_at__lt=now).delete()
    stale = Enrollment.objects.filter(state=State.AUTHENTICATED, created_at__lt=now - ABANDONED)
    stale.update(state=State.OUT, ended_at=now)
    evicting = Enrollment.objects.filter(state=State.EVICTING, ended_at__lt=now - enrollments.EVICTION)
    evicting.update(state=State.EVICTED, push_due_at=None)
    renew_certificates()
    mark_missing()


def renew_certificates() -> int:
    """Queue a renewal for each device whose certificate ends soon. Returns their number."""
    soon = DeviceCertificate.objects.filter(
        superseded_at=None, revoked_at=None, not_after__lt=timezone.now() + RENEWAL, enrollment__state=State.ENROLLED
    )
    waiting = Q(enrollment__device__commands__command=RenewMdmProfile.id, enrollment__device__commands__subject=AUTO)
    yesterday = timezone.now() - timedelta(days=1)
    soon = soon.exclude(waiting & Q(enrollment__device__commands__date_requested__gt=yesterday))
    queued = 0
    for pk in soon.order_by("not_after").values_list("enrollment__device", flat=True)[:AT_ONCE]:
        with transaction.atomic():
            device = Device.objects.select_for_update().defer("record_json").filter(pk=pk).first()
            if device and queue.enqueue(device=device, orders=[Order(RenewMdmProfile.id, AUTO)]):
                enrollments.wake([device.pk])
                queued += 1
    return queued


def mark_missing() -> int:
    """Mark devices as missing that do not come although they are woken. Returns their number."""
    now = timezone.now()
    silent = Enrollment.objects.filter(
        state=State.ENROLLED,
        device__is_missing=False,
        device__seen__at__lt=now - MISSING,
        push_sent_at__gt=F("device__seen__at"),
    )
    marked = 0
    for pk in silent.order_by("pk").values_list("device", flat=True)[:AT_ONCE]:
        with transaction.atomic():
            device = Device.objects.select_for_update().defer("record_json").filter(pk=pk, is_missing=False).first()
            if device is not None:
                device.is_missing = True
                device.save(update_fields=["is_missing"])
                records.refresh_locked(device.pk)
                marked += 1
    return marked
