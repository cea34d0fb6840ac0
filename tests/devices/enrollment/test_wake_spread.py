"""Many devices are woken one after the other."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.enrollment import enrollments
from devices.models import Enrollment
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


def test_devices_are_woken_in_parts(tenant: Tenant, settings: Any) -> None:
    settings.IRU_MDM_WAKE_RATE = 2
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
    moments = [moment for udid in ("U2", "U3", "U4", "U5") if (moment := due[udid])]
    assert len(set(moments)) == 3, "five devices in two and a half seconds"
    assert now <= min(moments) <= max(moments) - timedelta(seconds=1.5)
