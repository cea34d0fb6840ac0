"""Many devices are woken one after the other."""

from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.enrollment import enrollments
from devices.models import Enrollment
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


def test_devices_are_woken_in_parts(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrollments, "AT_ONCE", 2)
    now = timezone.now()
    for number in range(6):
        device = DeviceFactory.create(tenant=tenant)
        Enrollment.objects.create(
            tenant=tenant,
            device=device,
            udid=f"U{number}",
            created_at=now,
            state="enrolled" if number else "out",
            push_due_at=now - timedelta(days=1) if number == 1 else None,
        )
    enrollments.wake_spread(tenant.enrollments.all())
    due = dict(tenant.enrollments.values_list("udid", "push_due_at"))
    assert due["U0"] is None
    assert due["U1"] == now - timedelta(days=1), "one that is to be woken earlier stays so"
    moments = {due[f"U{number}"] for number in range(2, 6)}
    assert len(moments) == 3
    assert now <= min(moments) <= max(moments) - 2 * enrollments.STEP
