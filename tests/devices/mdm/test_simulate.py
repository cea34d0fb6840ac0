"""`manage.py mdm_simulate`, against a server that runs."""

from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from access.models import Tenant
from devices.enrollment.profiles import enrollment_profile
from devices.library.custom_apps import create_app
from devices.management.commands import mdm_simulate
from devices.mdm.rollout import wake_due
from devices.mdm.simulator.fleet import Habits, SimulatedFleet
from devices.models import Blueprint, Device, DeviceItem, Enrollment, LibraryItem, PushCertificate, StoredFile
from devices.storage.pieces import PIECE
from tests.devices.installers import Installer
from tests.devices.mdm.conftest import KEYS
from tests.devices.mdm.in_house import stored_upload
from tests.devices.mdm.test_rollout import assign, status
from tests.devices.sending import ACTOR, send
from tests.factories.devices import AdeDeviceFactory, AdeTokenFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdm_simulate, "new_key", KEYS)
    monkeypatch.setattr(mdm_simulate, "stop_on_signals", lambda: None)
    monkeypatch.setattr("sys.stdin", StringIO())


def simulate(**options: Any) -> str:
    out = StringIO()
    call_command("mdm_simulate", stdout=out, **{"seconds": 3, "every": 0.1, "keys": 1, **options})
    return out.getvalue()


def test_devices_of_every_kind_enroll_and_answer(live_server: LiveServer, tenant: Tenant, blueprint: Blueprint) -> None:
    said = simulate(devices=4, url=live_server.url, seconds=6)
    assert PushCertificate.objects.get().simulated
    devices = Device.objects.order_by("serial_number")
    assert [device.platform for device in devices] == ["Mac", "iPhone", "iPad", "AppleTV"]
    assert all(device.simulated for device in devices)
    assert "4 of 4 devices are enrolled; 4 enrollments" in said
    # They come back as themselves.
    simulate(devices=1, url=live_server.url, seconds=3)
    assert Enrollment.objects.filter(state="enrolled").count() == 4
    assert Device.objects.count() == 4


def test_devices_that_meet_with_disturbances(live_server: LiveServer, mdm: Tenant, blueprint: Blueprint) -> None:
    said: list[str] = []
    fleet = SimulatedFleet(
        1,
        url=live_server.url,
        profile=enrollment_profile(blueprint, simulated=True),
        habits=Habits(lost_answers=0.4, not_now=0.4, duplicates=True),
        keys=KEYS,
        tell=said.append,
        random=Random(1),
    )
    [device] = fleet.devices
    fleet.live(device)
    sent: dict[str, dict[str, Any]] = {
        "set_device_name": {"DeviceName": "Reception"},
        "erase_device": {"PIN": "123456"},
    }
    for command, body in sent.items():
        row = send(Device.objects.get(), command, **body).command
        for _ in range(20):
            fleet.live(device)
        row.refresh_from_db()
        assert row.status == row.Status.COMPLETED
    assert fleet.totals.enrolled == 2
    assert fleet.totals.problems["a lost answer"] > 3
    assert "1 of 1 devices are enrolled; 2 enrollments" in fleet.summary()[0]


@pytest.mark.parametrize("do_nothing", [False, True])
def test_a_package_goes_over_the_network(
    live_server: LiveServer, mdm: Tenant, blueprint: Blueprint, directory: Path, *, do_nothing: bool
) -> None:
    package = Installer(payload=bytes(PIECE + 5)).data
    key = stored_upload(mdm, StoredFile.Purpose.CUSTOM_APP, "VPN.pkg", package)
    item = create_app(
        tenant=mdm,
        actor=ACTOR,
        name="VPN",
        file_key=key,
        install_type="package",
        install_enforcement="install_once",
    )
    assign(blueprint, item)
    fleet = SimulatedFleet(
        1,
        url=live_server.url,
        profile=enrollment_profile(blueprint, simulated=True),
        habits=Habits(packages_do_nothing=do_nothing),
        keys=KEYS,
        tell=print,
    )
    [device] = fleet.devices
    fleet.live(device)
    assert status(device, item) == "INSTALLING"
    assert ("com.accuhive.vpn" in {app["Identifier"] for app in device.state.apps}) != do_nothing
    DeviceItem.objects.filter(item=item).update(next_at=timezone.now())
    wake_due.call()
    fleet.live(device)
    assert status(device, item) == ("INSTALLING" if do_nothing else "PASS")


def test_an_app_ends_as_the_devices_have_it(
    live_server: LiveServer, mdm: Tenant, blueprint: Blueprint, app: LibraryItem
) -> None:
    assign(blueprint, app)
    fleet = SimulatedFleet(
        1,
        url=live_server.url,
        profile=enrollment_profile(blueprint, simulated=True),
        habits=Habits(app_state="UserRejected"),
        keys=KEYS,
        tell=print,
        kinds=["iphone"],
    )
    [device] = fleet.devices
    fleet.live(device)
    assert status(device, app) == "INSTALLING"
    DeviceItem.objects.update(next_at=timezone.now())
    wake_due.call()
    fleet.live(device)
    assert status(device, app) == "ERROR"
    assert DeviceItem.objects.get().error == "The user did not allow the installation."


def test_a_tenant_or_a_blueprint_that_is_not_there(tenant: Tenant) -> None:
    with pytest.raises(CommandError, match="no such tenant"):
        simulate(tenant="nobody")
    with pytest.raises(CommandError, match="no such Blueprint"):
        simulate()


def test_a_server_that_is_not_there(tenant: Tenant, blueprint: Blueprint) -> None:
    said = simulate(devices=1, url="http://127.0.0.1:9", seconds=1)
    assert "0 of 1 devices are enrolled" in said
    assert "no connection" in said


def test_devices_of_apples_list_enroll_by_themselves(
    live_server: LiveServer, tenant: Tenant, blueprint: Blueprint
) -> None:
    with pytest.raises(CommandError, match="no device"):
        simulate(ade=True, url=live_server.url)
    server = AdeTokenFactory.create(tenant=tenant, blueprint=blueprint)
    for family, state in (("Mac", "pushed"), ("Vision", "assigned"), ("iPad", "assigned"), ("Mac", "empty")):
        AdeDeviceFactory.create(tenant=tenant, integration=server, device_family=family, profile_status=state)
    said = simulate(devices=2, ade=True, url=live_server.url, seconds=6)
    assert "2 of 2 devices are enrolled; 2 enrollments" in said
    assert sorted(Device.objects.values_list("platform", "simulated")) == [("Mac", True), ("iPad", True)]
    assert set(Device.objects.values_list("serial_number")) == set(
        server.devices.filter(pk__in=server.devices.order_by("pk")[2:]).values_list("serial_number")
    )
    assert {*Enrollment.objects.values_list("kind", "awaiting_configuration")} == {("ade", False)}
    assert "DeviceConfigured, Acknowledged" in said


def test_real_devices_of_apples_list_are_not_simulated(tenant: Tenant, mdm: Tenant, blueprint: Blueprint) -> None:
    AdeDeviceFactory.create(tenant=tenant, integration=AdeTokenFactory.create(tenant=tenant, blueprint=blueprint))
    with pytest.raises(CommandError, match="real ones"):
        simulate(ade=True)
