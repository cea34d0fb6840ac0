"""Devices are strangers: whatever they answer, no answer raises an error, and values of a wrong type are dropped."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.models import Tenant
from devices.commands import EVERY_COMMAND
from devices.commands.metadata import MOST_BYTES, small
from devices.inventory.answers import MOST_ROWS
from devices.inventory.lists import apps as listed_apps
from devices.models import Device, DeviceInventory, Platform
from tests.devices.commands.internal.answering import (
    CERTIFICATES,
    MANAGED,
    PROFILES,
    USERS,
    answer,
    apps,
    ask,
    information,
    security,
)
from tests.devices.sending import send
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db

ANSWERS: dict[str, tuple[Platform, dict[str, Any]]] = {
    "device_information": (Platform.IPAD, information(Platform.IPAD)),
    "update_inventory": (Platform.MAC, information(Platform.MAC)),
    "daily_checkin": (Platform.APPLE_TV, information(Platform.APPLE_TV)),
    "security_info": (Platform.MAC, security(FDE_PersonalRecoveryKeyCMS=b"x")),
    "installed_applications": (Platform.MAC, apps("a", "b", Installing=True, AppStoreVendable=True)),
    "profile_list": (Platform.IPHONE, PROFILES),
    "certificate_list": (Platform.APPLE_TV, CERTIFICATES),
    "user_list": (Platform.MAC, USERS),
    "managed_applications": (Platform.IPHONE, MANAGED),
    "bypass_code": (Platform.MAC, {"ActivationLockBypassCode": "FA9K"}),
}
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=30)
    | st.sampled_from(["x" * 1_000_000, "\0", "\ud800", "a\0b", "NaN", "A" * 256])
    | st.binary(max_size=20)
    | st.datetimes()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)


@st.composite
def spoiled(draw: st.DrawFn, said: Any) -> Any:
    """An answer as it should be, in which some values are replaced, or anything at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(VALUES)
    if isinstance(said, dict):
        return {key: draw(spoiled(value)) for key, value in said.items()}
    if isinstance(said, list):
        return [draw(spoiled(value)) for value in said] * draw(st.integers(1, 3))
    return said


@pytest.mark.parametrize("id", ANSWERS)
def test_no_answer_raises(id: str, tenant: Tenant) -> None:
    platform, said = ANSWERS[id]
    device = DeviceFactory.create(tenant=tenant, platform=platform)

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spoiled(said).filter(lambda value: isinstance(value, dict)))
    def check(hostile: dict[str, Any]) -> None:
        with transaction.atomic():
            row = ask(device, id)
            row.device = device
            metadata = EVERY_COMMAND[id].take_answer(row, hostile)
            row.metadata = metadata
            row.save()
            row.refresh_from_db()
            DeviceInventory.objects.filter(device=device).first()
            assert len(json.dumps(metadata)) < 8 * MOST_BYTES
            transaction.set_rollback(True)

    check()


@pytest.mark.parametrize("rows", [{"Name": "Same", "Identifier": "same"}, {"Name": 7}, {"Name": "x" * 1_000_000}, 7])
def test_a_million_apps_are_a_few_thousand(rows: Any, tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    answer(mac, "installed_applications", {"InstalledApplicationList": [rows] * 1_000_000})
    mac = Device.objects.reported().get(pk=mac.pk)
    assert len(listed_apps(mac)["apps"]) <= MOST_ROWS


def test_what_is_kept_with_a_command_is_small_json() -> None:
    moment = datetime(2026, 9, 3, 4, tzinfo=UTC)
    said = {
        "date": moment,
        "naive": moment.replace(tzinfo=None),
        "data": b"x",
        "list": [1, b"x", {"data": b"x", "text": "y"}],
        "nan": math.nan,
        "large": 2**64,
        "nul": "a\0b",
        "half": "\ud800",
        7: "no key",
        "real": 0.5,
        "none": None,
    }
    assert small(said) == {  # type: ignore[arg-type]
        "date": "2026-09-03T04:00:00+00:00",
        "naive": "2026-09-03T04:00:00+00:00",
        "list": [1, {"text": "y"}],
        "real": 0.5,
        "none": None,
    }
    assert small({"a": "x" * MOST_BYTES, "b": 1}) == {"keys": ["a", "b"]}
    assert small({f"{n}": "x" * 9 for n in range(100_000)}) == {}
    deep: Any = "end"
    for _ in range(10_000):
        deep = [deep]
    assert small({"deep": deep})["deep"] != []
    assert "end" not in json.dumps(small({"deep": deep}))


def test_the_answer_to_any_command_is_kept_like_that(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    row = send(mac, "restart_device").command
    assert EVERY_COMMAND["restart_device"].take_answer(row, {"x": b"data", "y": 1}) == {"y": 1}
