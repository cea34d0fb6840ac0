"""In-house apps reach a device: it fetches them by links, and its own lists say what became of them."""

import plistlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from access.models import Tenant
from devices.commands.queue import enqueue
from devices.library.desired import evidence, retries
from devices.library.desired.statuses import Statuses
from devices.library.desired.ways import NOT_HERE
from devices.library.ipa_apps import create_app, update_app
from devices.library.items import delete_item
from devices.library.statuses import rows_of_device
from devices.mdm.simulator import apps, deeds
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, Device, DeviceItem, Enrollment, LibraryItem, Order, StoredFile
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.in_house import IDENTIFIER, Clock, upload
from tests.devices.mdm.test_budget import Counting
from tests.devices.mdm.test_rollout import assign, due, remove, status
from tests.devices.sending import ACTOR, send

pytestmark = pytest.mark.django_db
ARRIVES = [
    ("InstallApplication", "Acknowledged"),
    ("ManagedApplicationList", "Acknowledged"),
]
PROVES = [("ManagedApplicationList", "Acknowledged"), ("InstalledApplicationList", "Acknowledged")]


def arrive(blueprint: Blueprint, device: SimulatedDevice, item: LibraryItem, clock: Clock) -> None:
    """The Blueprint gets the item, and the device has it."""
    assign(blueprint, item)
    device.connect()
    clock.passes(minutes=1)
    device.connect()
    assert status(device, item) == "PASS"


def there(device: SimulatedDevice) -> str | None:
    """The version of the app on the device."""
    return next((each["ShortVersion"] for each in device.state.apps if each["Identifier"] == IDENTIFIER), None)


def log(device: SimulatedDevice, item: LibraryItem) -> str | None:
    return next(row.reported.log for row in rows_of_device(stored(device)) if row.item == item and row.reported)


@pytest.mark.parametrize("kind", ["iphone", "ipad"])
def test_an_app_arrives_changes_and_goes(
    kind: str, tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, app: LibraryItem, clock: Clock
) -> None:
    device = new_device(kind)
    device.connect()
    assign(blueprint, app)
    assert (due(device), status(device, app)) == (True, "PENDING")
    assert device.connect() == ARRIVES
    assert status(device, app) == "INSTALLING"
    assert there(device) == "3.2.1"
    assert (due(device), device.connect()) == (False, [])  # no list has shown it: it is no success

    clock.passes(minutes=1)
    assert due(device)
    assert device.connect() == PROVES
    assert status(device, app) == "PASS"
    clock.passes(days=1)
    assert (due(device), device.connect()) == (False, [])

    update_app(tenant=tenant, item_id=app.uuid, actor=ACTOR, file_key=upload(tenant, CFBundleShortVersionString="3.3"))
    assert (due(device), status(device, app)) == (True, "CHANGE_PENDING")
    assert device.connect() == ARRIVES
    assert (status(device, app), there(device)) == ("INSTALLING", "3.3")
    clock.passes(minutes=1)
    device.connect()
    assert status(device, app) == "PASS"

    remove(blueprint, app)
    assert device.connect() == [("RemoveApplication", "Acknowledged"), ("ManagedApplicationList", "Acknowledged")]
    assert there(device) is None
    assert not DeviceItem.objects.exists()
    assert status(device, app) is None


@pytest.mark.parametrize(("version", "takes_over"), [("18.1", True), ("9.0", True), ("8.4", False), ("", False)])
def test_the_command_is_one_that_the_system_knows(
    version: str, takes_over: bool, tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, directory: Path
) -> None:
    item = create_app(tenant=tenant, actor=ACTOR, name="Old", file_key=upload(tenant, MinimumOSVersion="8.0"))
    Device.objects.filter(pk=stored(phone).pk).update(os_version=version)
    assign(blueprint, item)
    delivery = plistlib.loads(phone.say("Idle").body)
    while delivery["Command"]["RequestType"] != "InstallApplication":  # it may be told of declarations first
        delivery = plistlib.loads(phone.respond(delivery).body)
    command = delivery["Command"]
    assert command.pop("ManifestURL").startswith(f"http://{tenant.mdm_host}/files/m.")
    assert command == {
        "RequestType": "InstallApplication",
        "ManagementFlags": 1,
        **({"ChangeManagementState": "Managed"} if takes_over else {}),
    }


def test_apps_for_apple_tv_reach_apple_tvs(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, app: LibraryItem, clock: Clock
) -> None:
    box = new_device("apple_tv")
    box.connect()
    for_tv = create_app(tenant=tenant, actor=ACTOR, name="Signs", file_key=upload(tenant, UIDeviceFamily=[3]))
    forced = create_app(
        tenant=tenant, actor=ACTOR, name="Forced", file_key=upload(tenant), runs_on_tv=True, runs_on_iphone=True
    )
    for item in (app, for_tv, forced):
        assign(blueprint, item)
    assert box.connect() == ARRIVES
    clock.passes(minutes=1)
    box.connect()
    assert (status(box, app), status(box, for_tv)) == (None, "PASS")
    assert status(box, forced) == "INCOMPATIBLE"
    assert log(box, forced) == "The app is built for iPad and iPhone."


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("UserRejected", "The user did not allow the installation."),
        ("Failed", "The device could not install it."),
    ],
)
def test_what_the_user_or_the_device_refuses_has_failed_and_is_tried_again(
    state: str,
    reason: str,
    tenant: Tenant,
    blueprint: Blueprint,
    phone: SimulatedDevice,
    app: LibraryItem,
    clock: Clock,
) -> None:
    phone.switches.app_state = state
    assign(blueprint, app)
    tried = []
    for hours in (0, 1, 6, 24, 24 * 30):
        clock.passes(hours=hours)
        tried.append(("InstallApplication", "Acknowledged") in phone.connect())
        clock.passes(minutes=1)
        phone.connect()
        assert (status(phone, app), log(phone, app)) == ("ERROR", reason)
        assert (due(phone), phone.connect()) == (False, [])
    assert tried == [True, True, True, True, False]

    phone.switches.app_state = ""
    tenant = blueprint.tenant
    update_app(tenant=tenant, item_id=app.uuid, actor=ACTOR, file_key=upload(tenant, CFBundleVersion="413"))
    phone.connect()
    clock.passes(minutes=1)
    phone.connect()
    assert (status(phone, app), log(phone, app)) == ("PASS", None)


def test_a_refused_update_leaves_the_former_version(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    arrive(blueprint, phone, app, clock)
    phone.switches.app_state = "UpdateRejected"
    update_app(tenant=tenant, item_id=app.uuid, actor=ACTOR, file_key=upload(tenant, CFBundleShortVersionString="3.3"))
    phone.connect()
    clock.passes(minutes=1)
    phone.connect()
    assert (status(phone, app), log(phone, app)) == ("ERROR", "The user did not allow the update.")
    row = DeviceItem.objects.get()
    assert row.shown
    assert row.shown != row.wanted
    assert there(phone) == "3.2.1"


def test_an_answer_that_rejects_the_app_is_an_error(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rejects(device: SimulatedDevice, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "Acknowledged", {"State": "Failed", "RejectionReason": "NotSupported"}

    assign(blueprint, app)
    monkeypatch.setattr(SimulatedDevice, "_carried_out", rejects)
    phone.connect()
    assert (status(phone, app), log(phone, app)) == ("ERROR", "The device rejected the app: NotSupported.")


def test_a_device_is_asked_a_few_times_until_there_is_no_patience_left(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    phone.switches.app_state = "Prompting"
    assign(blueprint, app)
    assert phone.connect() == ARRIVES
    begun, asked = clock.now, []
    while status(phone, app) == "INSTALLING":
        clock.passes(seconds=30)
        if due(phone):
            assert [kind for kind, _ in phone.connect()] == ["ManagedApplicationList"]
            asked.append((clock.now - begun).total_seconds() / 60)
        assert phone.connect() == []
        if asked == [1]:
            assert log(phone, app) == "The device asks its user whether to install it."
    assert asked == [1, 5, 15, 60, 120, 180, 240]
    assert status(phone, app) == "ERROR"
    assert log(phone, app) == (
        "The device took it, and its list does not show it. The device asks its user whether to install it."
    )

    phone.state.managed_apps[IDENTIFIER] = "Managed"  # the user allows it in the end
    phone.state.apps.append({"Identifier": IDENTIFIER, "ShortVersion": "3.2.1", "Version": "412"})
    enqueue(device=stored(phone), orders=[Order("managed_applications")])
    assert phone.connect() == PROVES
    assert status(phone, app) == "PASS"


def test_a_device_that_does_not_answer_is_not_asked_without_end(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, app)
    phone.switches.errors = {"ManagedApplicationList"}
    phone.connect()
    begun, asked = clock.now, []
    for _ in range(60 * 5 - 1):
        clock.passes(minutes=1)
        if due(phone):
            asked += [(clock.now - begun).total_seconds() / 60 for _ in phone.connect()]
        assert not due(phone)
    assert asked == [1, 5, 15, 60, 120, 180, 240]
    assert (status(phone, app), log(phone, app)) == ("ERROR", evidence.NOT_SHOWN)


@pytest.mark.parametrize("answer", [{}, {"ManagedApplicationList": "none"}])
def test_an_answer_without_a_list_says_nothing(
    answer: dict[str, Any],
    blueprint: Blueprint,
    phone: SimulatedDevice,
    app: LibraryItem,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(deeds.DEEDS, "ManagedApplicationList", (deeds.ALL, lambda device, command: answer))
    assign(blueprint, app)
    assert phone.connect() == ARRIVES
    clock.passes(minutes=1)
    assert (status(phone, app), due(phone)) == ("INSTALLING", True)


def test_a_device_that_postpones_the_question_is_not_woken_all_the_time(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, app)
    phone.connect()
    phone.switches.not_now = 1000
    woken = 0
    for _ in range(60):
        clock.passes(minutes=1)
        if Enrollment.objects.filter(push_due_at__lte=clock.now).exists():
            woken += 1
            phone.connect()
    assert woken <= 6
    assert stored(phone).commands.unfinished().count() == 1


def test_a_success_needs_the_lists_of_the_device(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, app)
    phone.connect()
    phone.state.apps.clear()  # it says that the app is managed, and another list lacks it
    clock.passes(minutes=1)
    assert phone.connect() == PROVES
    assert status(phone, app) == "INSTALLING"
    other = {"Identifier": IDENTIFIER, "ShortVersion": "3.2.1", "Version": "411"}
    phone.state.apps.append(other)
    clock.passes(minutes=5)
    assert phone.connect() == PROVES
    assert (status(phone, app), log(phone, app)) == ("INSTALLING", "It shows version 3.2.1 (411).")
    clock.passes(hours=4)
    assert phone.connect() == PROVES
    assert status(phone, app) == "ERROR"
    assert log(phone, app) == "The device took it, and its list does not show it. It shows version 3.2.1 (411)."


def test_an_app_is_not_proven_by_the_number_of_the_former_file(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    arrive(blueprint, phone, app, clock)
    update_app(tenant=tenant, item_id=app.uuid, actor=ACTOR, file_key=upload(tenant, Other="file"))
    phone.switches.errors = {"InstallApplication"}
    assert phone.connect() == [("InstallApplication", "Error")]
    assert status(phone, app) == "ERROR"
    for question in ("managed_applications", "managed_versions"):
        enqueue(device=stored(phone), orders=[Order(question)])
    phone.connect()
    assert status(phone, app) == "ERROR"


def test_what_a_person_removes_on_the_device_comes_again(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    arrive(blueprint, phone, app, clock)
    apps.delete(phone, IDENTIFIER)
    send(stored(phone), "update_inventory")
    assert ("InstallApplication", "Acknowledged") in phone.connect()
    assert status(phone, app) == "INSTALLING"
    clock.passes(minutes=1)
    phone.connect()
    assert (status(phone, app), there(phone)) == ("PASS", "3.2.1")


def test_a_device_that_updates_its_system_is_compared_anew(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, clock: Clock
) -> None:
    key = upload(tenant, MinimumOSVersion="18.2")
    item = create_app(tenant=tenant, actor=ACTOR, name="New", file_key=key)
    assign(blueprint, item)
    assert phone.connect() == []
    assert status(phone, item) == "INCOMPATIBLE"
    assert log(phone, item) == "The app needs version 18.2 of the system; the device has 18.1."
    phone.state.os_version = "18.2"
    send(stored(phone), "update_inventory")
    assert ("InstallApplication", "Acknowledged") in phone.connect()
    clock.passes(minutes=1)
    phone.connect()
    assert (status(phone, item), log(phone, item)) == ("PASS", None)


def test_a_file_whose_content_is_unknown_is_not_sent(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice
) -> None:
    key = upload(tenant)
    StoredFile.objects.update(sha256="")
    item = create_app(tenant=tenant, actor=ACTOR, name="Expenses", file_key=key)
    assign(blueprint, item)
    assert phone.connect() == []
    assert (status(phone, item), log(phone, item)) == ("INCOMPATIBLE", NOT_HERE)


def test_a_deleted_app_goes(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    arrive(blueprint, phone, app, clock)
    delete_item(tenant=tenant, item_id=app.uuid, actor=ACTOR)
    phone.connect()
    assert there(phone) is None
    assert not DeviceItem.objects.exists()


def test_an_app_that_is_removed_while_it_is_installed_does_not_stay(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, app)
    delivery = plistlib.loads(phone.say("Idle").body)
    phone.respond(delivery)
    apps.live(phone)
    phone.state.managed_apps[IDENTIFIER] = "Installing"  # it has the file, and is not ready yet
    remove(blueprint, app)
    phone.switches.not_now = 1
    assert phone.connect() == [("RemoveApplication", "NotNow"), ("ManagedApplicationList", "Acknowledged")]
    assert there(phone) == "3.2.1"
    clock.passes(minutes=15)
    assert phone.connect() == [("RemoveApplication", "Acknowledged"), ("ManagedApplicationList", "Acknowledged")]
    assert there(phone) is None
    assert not DeviceItem.objects.exists()


def test_a_removal_that_the_list_does_not_show_has_failed(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(blueprint, phone, app, clock)
    remove(blueprint, app)
    monkeypatch.setitem(deeds.DEEDS, "RemoveApplication", (deeds.ALL, lambda device, command: {}))
    phone.connect()
    row = DeviceItem.objects.get()
    assert row.state == "sent"
    clock.passes(hours=4)
    phone.connect()
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", evidence.STILL_SHOWN)
    monkeypatch.undo()


def test_two_items_with_the_same_app_do_not_replace_each_other_for_ever(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    arrive(blueprint, phone, app, clock)
    other = create_app(tenant=tenant, actor=ACTOR, name="Other", file_key=upload(tenant, CFBundleVersion="500"))
    arrive(blueprint, phone, other, clock)
    enqueue(device=stored(phone), orders=[Order("managed_versions"), Order("managed_applications")])
    phone.connect()
    assert not any(kind == "InstallApplication" for kind, _ in phone.connect())
    assert not DeviceItem.objects.exclude(state="done").exists()


def test_a_device_that_was_away_for_longer_than_the_patience_has_not_failed(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[str] = []
    report = Statuses.report

    def note(self: Statuses, item: int | None, status: str, log: str | None = None) -> None:
        reports.append(status)
        report(self, item, status, log)

    monkeypatch.setattr(Statuses, "report", note)
    assign(blueprint, app)
    phone.connect()
    clock.passes(days=2)
    assert phone.connect() == PROVES
    assert (set(reports), reports[-1]) == ({"INSTALLING", "PASS"}, "PASS")


def test_devices_that_stay_away_do_not_hide_those_that_are_due(
    blueprint: Blueprint, new_device: NewDevice, app: LibraryItem, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_device("iphone"), new_device("ipad")
    for device in (first, second):
        device.connect()
    assign(blueprint, app)
    first.connect()
    clock.now += timedelta(seconds=1)
    second.connect()
    monkeypatch.setattr("devices.mdm.rollout.AT_ONCE", 1)
    clock.passes(minutes=2)
    assert (due(first), due(second)) == (True, False)
    clock.passes()
    assert due(second)


def test_an_app_is_tried_again_at_once(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    phone.switches.errors = {"InstallApplication"}
    assign(blueprint, app)
    phone.connect()
    assert status(phone, app) == "ERROR"
    phone.switches.errors = set()
    retries.retry(tenant=tenant, device_id=stored(phone).uuid, item_id=app.uuid, actor=ACTOR)
    assert status(phone, app) == "PENDING"
    assert phone.connect() == ARRIVES


def test_a_list_that_says_nothing_new_costs_as_little_as_a_command(
    blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    arrive(blueprint, phone, app, clock)
    enqueue(device=stored(phone), orders=[Order("managed_applications"), Order("certificate_list")])
    counting = Counting(phone)
    phone.connect()
    counting.check({})
    assert "ManagedApplicationList" in counting.statements


def test_a_version_that_comes_back_while_another_is_on_its_way_is_installed_again(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    former = app.ipa_app.file.key
    create_app(tenant=tenant, actor=ACTOR, name="Keeper", file_key=former)
    arrive(blueprint, phone, app, clock)
    update_app(tenant=tenant, item_id=app.uuid, actor=ACTOR, file_key=upload(tenant, CFBundleShortVersionString="3.3"))
    phone.respond(plistlib.loads(phone.say("Idle").body))
    apps.live(phone)
    assert there(phone) == "3.3"
    update_app(tenant=tenant, item_id=app.uuid, actor=ACTOR, file_key=former)
    phone.connect()
    clock.passes(minutes=1)
    phone.connect()
    assert (there(phone), status(phone, app)) == ("3.2.1", "PASS")


def test_an_app_stays_when_another_item_takes_it_over(
    tenant: Tenant, blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem, clock: Clock
) -> None:
    arrive(blueprint, phone, app, clock)
    successor = create_app(tenant=tenant, actor=ACTOR, name="The same app", file_key=app.ipa_app.file.key)
    delete_item(tenant=tenant, item_id=app.uuid, actor=ACTOR)
    assign(blueprint, successor)
    requests: list[str] = []
    for _ in range(4):
        requests += [request for request, _ in phone.connect()]
        clock.passes(hours=1)
    assert "RemoveApplication" not in requests
    assert (there(phone), status(phone, successor)) == ("3.2.1", "PASS")
    assert [row.item for row in stored(phone).items.all()] == [successor]
