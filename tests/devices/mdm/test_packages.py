"""Packages reach a Mac: it fetches them by links, and its own list of apps says whether they are there."""

import plistlib
from typing import Any

import pytest

from access.models import Tenant
from devices.library.custom_apps import create_app, update_app
from devices.library.desired import package_files, retries
from devices.library.desired.evidence import NOT_SHOWN
from devices.library.items import delete_item
from devices.library.package_reading import read_packages
from devices.library.statuses import rows_of_device
from devices.mdm.questions import ask_inventory
from devices.mdm.simulator import packages
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, Device, DeviceItem, Enrollment, LibraryItem, StoredFile
from devices.storage.pieces import PIECE
from tests.devices.installers import Bundle, Installer
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.in_house import Clock, stored_upload
from tests.devices.mdm.test_rollout import assign, due, remove, status
from tests.devices.sending import ACTOR

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("directory")]
LOOKS = ("InstalledApplicationList", "Acknowledged")
ARRIVES = [LOOKS, ("InstallEnterpriseApplication", "Acknowledged"), LOOKS]
VPN = "com.accuhive.vpn"


def upload(tenant: Tenant, content: bytes, name: str = "VPN.pkg") -> str:
    return stored_upload(tenant, StoredFile.Purpose.CUSTOM_APP, name, content)


def create(tenant: Tenant, content: bytes, **fields: Any) -> LibraryItem:
    values: dict[str, Any] = {
        "name": "VPN",
        "install_type": "package",
        "install_enforcement": "install_once",
        **fields,
    }
    return create_app(tenant=tenant, actor=ACTOR, file_key=upload(tenant, content), **values)


@pytest.fixture
def vpn(tenant: Tenant, directory: object) -> LibraryItem:
    return create(tenant, Installer().data)


@pytest.fixture
def mac(new_device: NewDevice, clock: Clock) -> SimulatedDevice:
    """A Mac whose inventory is known."""
    device = new_device()
    device.connect()
    return device


def there(device: SimulatedDevice, identifier: str = VPN) -> str | None:
    """The version of an app on the Mac."""
    return next((each["ShortVersion"] for each in device.state.apps if each["Identifier"] == identifier), None)


def log(device: SimulatedDevice, item: LibraryItem) -> str | None:
    return next((row.reported.log for row in rows_of_device(stored(device)) if row.item == item and row.reported), None)


def daily(device: SimulatedDevice) -> None:
    """The inventory of the next day."""
    ask_inventory(stored(device), Enrollment.objects.get(device=stored(device), state="enrolled"))
    device.connect()


def add(device: SimulatedDevice, version: str, build: str, identifier: str = VPN) -> None:
    """A person installs an app."""
    device.state.apps.append({"Name": "VPN", "Identifier": identifier, "ShortVersion": version, "Version": build})


def delete(device: SimulatedDevice, identifier: str = VPN) -> None:
    """A person deletes an app."""
    device.state.apps = [app for app in device.state.apps if app["Identifier"] != identifier]


def test_a_package_arrives_and_changes_and_stays(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    assert (due(mac), status(mac, vpn)) == (True, "PENDING")
    assert mac.connect() == ARRIVES
    assert status(mac, vpn) == "INSTALLING"
    assert there(mac) == "4.2"
    assert (due(mac), mac.connect()) == (False, [])  # no list has shown it: it is no success
    clock.passes(minutes=1)
    assert due(mac)
    assert mac.connect() == [LOOKS]
    assert status(mac, vpn) == "PASS"
    clock.passes(days=1)
    assert (due(mac), mac.connect()) == (False, [])

    newer = Installer(bundles=(Bundle(version="4.3", build="430"),)).data
    update_app(tenant=tenant, item_id=vpn.uuid, actor=ACTOR, file_key=upload(tenant, newer))
    assert (due(mac), status(mac, vpn)) == (True, "CHANGE_PENDING")
    assert mac.connect() == ARRIVES
    assert (status(mac, vpn), there(mac)) == ("INSTALLING", "4.3")
    clock.passes(minutes=1)
    mac.connect()
    assert status(mac, vpn) == "PASS"

    remove(blueprint, vpn)
    assert mac.connect() == []
    assert (there(mac), status(mac, vpn)) == ("4.3", None)
    assert not DeviceItem.objects.exists()
    clock.passes(days=1)
    assert (due(mac), mac.connect()) == (False, [])


def test_a_new_mac_gets_its_packages_in_its_first_sessions(
    blueprint: Blueprint, new_device: NewDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    device = new_device()
    answers = device.connect()
    assert ("InstallEnterpriseApplication", "Acknowledged") in answers
    clock.passes(minutes=1)
    device.connect()
    assert (there(device), status(device, vpn)) == ("4.2", "PASS")


def test_other_devices_do_not_get_it(
    blueprint: Blueprint, new_device: NewDevice, vpn: LibraryItem, clock: Clock
) -> None:
    phone = new_device("iphone")
    assign(blueprint, vpn)
    assert "InstallEnterpriseApplication" not in dict(phone.connect())
    assert status(phone, vpn) is None


def test_a_large_package_is_compared_piece_by_piece(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = create(tenant, Installer(payload=bytes(2 * PIECE + 5)).data)
    manifests = []
    got = SimulatedDevice.get

    def get(device: SimulatedDevice, url: str) -> Any:
        answer = got(device, url)
        if answer.headers["Content-Type"].startswith("application/x"):
            manifests.append(answer.body)
        return answer

    monkeypatch.setattr(SimulatedDevice, "get", get)
    assign(blueprint, large)
    mac.connect()
    (item,) = plistlib.loads(manifests[0])["items"]
    assert item["metadata"] == {
        "kind": "software",
        "bundle-identifier": "com.accuhive.vpn.product",
        "bundle-version": "4.2.0",
        "title": "Accuhive VPN",
    }
    (asset,) = item["assets"]
    assert (asset["kind"], asset["sha256-size"], len(asset["sha256s"])) == ("software-package", PIECE, 3)
    assert there(mac) == "4.2"


def test_a_file_that_changed_in_the_storage_is_not_installed(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock, directory: Any
) -> None:
    path = directory / vpn.custom_app.file.key
    path.write_bytes(Installer(bundles=(Bundle(version="6.6"),)).data)
    assign(blueprint, vpn)
    mac.connect()
    assert there(mac) is None


def test_a_package_that_installs_nothing_has_failed_after_four_hours_and_is_tried_once_more(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    mac.switches.packages_do_nothing = True
    assign(blueprint, vpn)
    tried = [mac.connect() == ARRIVES]
    for _ in range(2):
        for hours in range(4):
            assert status(mac, vpn) == "INSTALLING", hours
            clock.passes(hours=1)
            mac.connect()
        assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", f"{NOT_SHOWN} It lacks {VPN}.")
        clock.passes(hours=23)
        assert (due(mac), mac.connect()) == (False, [])
        clock.passes(hours=1, minutes=1)
        tried.append(mac.connect() == ARRIVES)
    assert tried == [True, True, False]
    assert status(mac, vpn) == "ERROR"

    mac.switches.packages_do_nothing = False
    device = stored(mac)
    retries.retry(tenant=device.tenant, device_id=device.uuid, item_id=vpn.uuid, actor=ACTOR)
    assert mac.connect() == ARRIVES
    clock.passes(minutes=1)
    mac.connect()
    assert status(mac, vpn) == "PASS"


def test_an_app_that_comes_late_is_a_success(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    mac.switches.packages_do_nothing = True
    assign(blueprint, vpn)
    mac.connect()
    clock.passes(hours=5)
    mac.connect()
    assert status(mac, vpn) == "ERROR"
    add(mac, "4.2", "420")
    daily(mac)
    assert status(mac, vpn) == "PASS"


@pytest.mark.parametrize("switch", ["errors", "malformed"])
def test_what_a_mac_refuses_has_failed_and_is_tried_once_more(
    switch: str, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    setattr(mac.switches, switch, {"InstallEnterpriseApplication"})
    assign(blueprint, vpn)
    refused = []
    for _ in range(3):
        refused.append("InstallEnterpriseApplication" in dict(mac.connect()))
        assert status(mac, vpn) == "ERROR"
        clock.passes(hours=24, minutes=1)
    assert refused == [True, True, False]
    if switch == "errors":
        assert log(mac, vpn) == "The switch of this device says so. (MCMDMErrorDomain 12021)"


def test_an_app_that_is_there_in_a_later_version_is_left_alone(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    add(mac, "5.0", "500")
    assign(blueprint, vpn)
    assert mac.connect() == [LOOKS]
    assert (there(mac), status(mac, vpn)) == ("5.0", "PASS")


def test_an_app_that_is_there_in_an_older_version_is_replaced(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    add(mac, "4.10", "9")  # as a text, it would be older than 4.2
    add(mac, "4.1", "410", "com.accuhive.other")
    delete(mac)
    add(mac, "4.1", "410")
    mac.switches.packages_do_nothing = True
    assign(blueprint, vpn)
    assert mac.connect() == ARRIVES
    assert log(mac, vpn) == f"It has version 4.1 of {VPN}."
    mac.switches.packages_do_nothing = False


def test_an_app_of_which_another_package_has_a_part_is_installed(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, clock: Clock
) -> None:
    updater = Bundle("com.accuhive.updater", "1.0", "1", "./Updater.app")
    suite = create(tenant, Installer(bundles=(updater, Bundle())).data)
    add(mac, "1.0", "1", "com.accuhive.updater")
    assign(blueprint, suite)
    assert mac.connect() == ARRIVES
    assert there(mac) == "4.2"


def test_a_part_that_did_not_change_is_no_proof(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, clock: Clock
) -> None:
    suite = create(tenant, Installer(bundles=(Bundle("com.accuhive.other", "1.0", "1", "./Other.app"), Bundle())).data)
    add(mac, "1.0", "1", "com.accuhive.other")
    mac.switches.packages_do_nothing = True
    assign(blueprint, suite)
    mac.connect()
    clock.passes(minutes=1)
    mac.connect()
    assert (status(mac, suite), log(mac, suite)) == ("INSTALLING", f"It lacks {VPN}.")
    clock.passes(hours=4)
    mac.connect()
    assert (status(mac, suite), log(mac, suite)) == ("ERROR", f"{NOT_SHOWN} It lacks {VPN}.")
    add(mac, "4.2", "420")
    daily(mac)
    assert status(mac, suite) == "PASS"


def test_a_part_that_no_mac_lists_has_nothing_replaced(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, clock: Clock
) -> None:
    updater = Installer(bundles=(Bundle(), Bundle("com.accuhive.updater", "9", "9", "../Library/Updater.app")))
    suite = create(tenant, updater.data)
    add(mac, "5.0", "500")
    assign(blueprint, suite)
    assert mac.connect() == [LOOKS]
    assert (there(mac), status(mac, suite)) == ("5.0", "PASS")


def test_a_mac_that_lists_no_apps_gets_the_package_and_is_no_success(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    mac.switches.errors = {"InstalledApplicationList"}
    assign(blueprint, vpn)
    assert ("InstallEnterpriseApplication", "Acknowledged") in mac.connect()
    for _ in range(5):
        assert status(mac, vpn) == "INSTALLING"
        clock.passes(hours=1)
        mac.connect()
        if status(mac, vpn) == "ERROR":
            break
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", NOT_SHOWN)


def test_an_app_that_its_user_deletes_is_installed_once_alone(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    clock.passes(minutes=1)
    mac.connect()
    delete(mac)
    daily(mac)
    clock.passes(days=2)
    assert "InstallEnterpriseApplication" not in dict(mac.connect())
    assert (there(mac), status(mac, vpn)) == (None, "PASS")


def test_a_deleted_package_is_forgotten(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    delete_item(tenant=tenant, item_id=vpn.uuid, actor=ACTOR)
    assert mac.connect() == []
    assert not DeviceItem.objects.exists()
    assert there(mac) == "4.2"


def test_a_package_that_becomes_impossible_says_so(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    clock.passes(minutes=1)
    mac.connect()
    update_app(tenant=tenant, item_id=vpn.uuid, actor=ACTOR, postinstall_script="#!/bin/zsh")
    mac.connect()
    assert (status(mac, vpn), log(mac, vpn)) == ("INCOMPATIBLE", package_files.SCRIPTS)
    update_app(tenant=tenant, item_id=vpn.uuid, actor=ACTOR, postinstall_script="")
    assert mac.connect() == []
    assert status(mac, vpn) == "PASS"


IMPOSSIBLE: dict[str, tuple[Installer | bytes, dict[str, Any], str]] = {
    "not signed": (Installer(signatures=()), {}, "The package is not signed."),
    "signed by another": (Installer(signer="Mallory"), {}, "The signature of the package is not valid"),
    "a component": (Installer(distribution=""), {}, package_files.COMPONENT),
    "no app": (Installer(bundles=()), {}, package_files.NO_APP),
    "a newer system": (
        Installer(minimum="26.0"),
        {},
        "The package needs version 26 of the system; the device has 15.1.",
    ),
    "preinstall": (Installer(), {"preinstall_script": "#!/bin/zsh"}, package_files.SCRIPTS),
    "postinstall": (Installer(), {"postinstall_script": "#!/bin/zsh"}, package_files.SCRIPTS),
    "restart": (Installer(), {"restart": True}, package_files.RESTART),
    "audit": (
        Installer(),
        {"install_enforcement": "continuously_enforce", "audit_script": "#!/bin/zsh"},
        package_files.AUDIT,
    ),
    "damaged": (b"xar!" + bytes(100), {}, "The package is damaged: it does not begin as a package does."),
    "zip": (
        b"PK\3\4" + bytes(100),
        {"install_type": "zip", "unzip_location": "/Applications"},
        package_files.ARCHIVE,
    ),
    "image": (bytes(1000), {"install_type": "image"}, package_files.ARCHIVE),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_mdm_cannot_do_is_incompatible_for_a_reason(
    name: str, tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice
) -> None:
    installer, fields, reason = IMPOSSIBLE[name]
    item = create(tenant, installer if isinstance(installer, bytes) else installer.data, **fields)
    assign(blueprint, item)
    assert mac.connect() == []
    assert status(mac, item) == "INCOMPATIBLE"
    assert (log(mac, item) or "").startswith(reason)


def test_a_package_from_before_reaches_a_mac_once_it_was_read(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    StoredFile.objects.update(metadata={"install_type": "package"})
    LibraryItem.objects.update(version="")
    assign(blueprint, vpn)
    assert mac.connect() == []
    assert (status(mac, vpn), log(mac, vpn)) == ("INCOMPATIBLE", package_files.NOT_READ)
    read_packages.call()
    assert due(mac)
    assert mac.connect() == ARRIVES


def test_self_service_needs_an_agent(tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice) -> None:
    item = create(tenant, Installer().data)
    item.custom_app.install_enforcement = "no_enforcement"
    item.custom_app.save()
    assign(blueprint, item)
    assert mac.connect() == []
    assert log(mac, item) == package_files.SELF_SERVICE


def test_a_mac_that_was_updated_gets_what_it_was_too_old_for(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, clock: Clock
) -> None:
    item = create(tenant, Installer(minimum="15.2").data)
    assign(blueprint, item)
    mac.connect()
    assert status(mac, item) == "INCOMPATIBLE"
    mac.state.os_version = "15.2"
    daily(mac)
    mac.connect()
    assert status(mac, item) == "INSTALLING"


def test_a_link_of_one_mac_is_over_when_it_is_not_to_have_the_package(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "live", lambda device: None)
    assign(blueprint, vpn)
    mac.connect()
    (pending,) = mac.state.pending_packages
    assert mac.get(pending.url).status == 200
    remove(blueprint, vpn)
    mac.connect()
    assert mac.get(pending.url).status == 404


def test_an_unknown_version_of_the_system_is_no_reason(tenant: Tenant, directory: object) -> None:
    item = create(tenant, Installer(minimum="26.0").data)
    item = LibraryItem.objects.annotate(**package_files.SCRIPTED).get(pk=item.pk)
    assert package_files.unfit(item, Device(platform="Mac", os_version="")) == ""
    assert "needs version 26" in package_files.unfit(item, Device(platform="Mac", os_version="15.9"))
    assert package_files.unfit(item, Device(platform="Mac", os_version="26.0.1")) == ""
