"""The schedule that asks every enrolled device for its inventory once a day."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from access.tasks.schedules import _schedules
from devices.mdm import daily
from devices.mdm.daily import ask_for_inventory
from devices.mdm.questions import QUESTIONS
from devices.models import Device, Enrollment, Platform
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def enrolled(tenant: Tenant, *, asked: timedelta, state: str = "enrolled", **fields: Any) -> Enrollment:
    device = DeviceFactory.create(tenant=tenant, **fields)
    now = timezone.now()
    return Enrollment.objects.create(
        tenant=tenant,
        device=device,
        udid=f"UDID-{device.pk}",
        state=state,
        created_at=now,
        enrolled_at=now,
        inventory_at=now - asked,
    )


def waiting(device: Device | None) -> set[str]:
    assert device is not None
    return set(device.commands.unfinished().values_list("command", flat=True))


def test_a_device_is_asked_a_day_after_the_last_time(tenant: Tenant, other_tenant: Tenant) -> None:
    due = [enrolled(each, asked=25 * HOUR, platform=Platform.IPHONE) for each in (tenant, other_tenant)]
    others = [enrolled(tenant, asked=23 * HOUR), enrolled(tenant, asked=99 * HOUR, state="out")]
    before = timezone.now()
    ask_for_inventory.call()
    for each in due:
        each.refresh_from_db()
        assert waiting(each.device) == {order.command for order in QUESTIONS}
        assert each.push_due_at is not None
        assert each.push_due_at >= before
        assert each.inventory_at is not None
        assert abs(each.inventory_at - timezone.now()) <= daily.SPREAD + HOUR
    for each in others:
        asked = each.inventory_at
        each.refresh_from_db()
        assert (waiting(each.device), each.push_due_at, each.inventory_at) == (set(), None, asked)


def test_devices_that_enrolled_together_are_spread(tenant: Tenant) -> None:
    fleet = [enrolled(tenant, asked=25 * HOUR) for _ in range(8)]
    ask_for_inventory.call()
    asked = Enrollment.objects.filter(pk__in=[each.pk for each in fleet]).values_list("inventory_at", flat=True)
    moments = sorted(each for each in asked if each is not None)
    assert moments[-1] - moments[0] > timedelta(minutes=10)


def test_a_run_asks_some_of_them_longest_first(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "MOST", 2)
    fleet = [enrolled(tenant, asked=hours * HOUR) for hours in (30, 50, 40)]
    ask_for_inventory.call()
    assert [bool(waiting(each.device)) for each in fleet] == [False, True, True]
    ask_for_inventory.call()
    assert all(waiting(each.device) for each in fleet)
    ask_for_inventory.call()


def test_it_is_a_schedule_of_each_minute() -> None:
    assert _schedules["ask-inventory"] == (ask_for_inventory, timedelta(minutes=1))
