"""Packages reach a supervised Mac from macOS 26 by declarations, and what it reports says whether they are there."""

import json
import plistlib
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.blueprints.required_versions import require_version
from devices.library.custom_apps import update_app
from devices.library.desired import package_files, retries
from devices.library.desired.declared_packages import FAILED, INVALID, TYPE
from devices.library.desired.evidence import NOT_FETCHED, NOT_SHOWN
from devices.library.items import delete_item
from devices.mdm.simulator.declarations import ask
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, DeviceDeclarations, DeviceItem, LibraryItem, RequiredVersion
from devices.pages import library_progress
from tests.devices.installers import Bundle, Installer
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.in_house import Clock
from tests.devices.mdm.test_app_files import ask as follow
from tests.devices.mdm.test_packages import ARRIVES, create, delete, log, there, upload
from tests.devices.mdm.test_rollout import assign, due, remove, status
from tests.devices.sending import ACTOR

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("directory")]
TOLD = [("DeclarativeManagement", "Acknowledged")]
NEWER = Installer(bundles=(Bundle(version="4.3", build="430"),), version="4.3.0")
COMPONENT = Installer(distribution="", bundles=())


@pytest.fixture
def mac(new_device: NewDevice, clock: Clock) -> SimulatedDevice:
    """A Mac whose inventory is known."""
    device = new_device("mac_26")
    device.connect()
    return device


@pytest.fixture
def vpn(tenant: Tenant, directory: object) -> LibraryItem:
    return create(tenant, Installer().data)


def name(item: LibraryItem) -> str:
    return f"iru.package.{item.uuid.hex}"


def documents(device: SimulatedDevice) -> dict[str, dict[str, Any]]:
    """The declarations of packages that the Mac has, by their identifiers."""
    return {each["Identifier"]: each for each in device.state.declared.of_type(TYPE)}


def replace(tenant: Tenant, item: LibraryItem, installer: Installer) -> LibraryItem:
    return update_app(tenant=tenant, item_id=item.uuid, actor=ACTOR, file_key=upload(tenant, installer.data))


def say(device: SimulatedDevice, *packages: dict[str, Any], full: bool = False) -> None:
    """The Mac reports these packages."""
    document = {"StatusItems": {"package": {"list": list(packages)}}, "Errors": [], "FullReport": full}
    assert ask(device, "status", json.dumps(document).encode()).status == 200


def package(item: LibraryItem, state: str, version: str = "4.2.0", **more: Any) -> dict[str, Any]:
    return {"identifier": "p", "declaration-identifier": name(item), "version": version, "state": state, **more}


def told(device: SimulatedDevice) -> None:
    """The Mac takes the news of its declarations, and does not fetch any yet."""
    answer = device.say("Idle")
    while answer.body:
        answer = device.respond(plistlib.loads(answer.body))


def fetch(device: SimulatedDevice, item: LibraryItem) -> dict[str, Any]:
    answer = ask(device, f"declaration/configuration/{name(item)}")
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


def next_of(device: SimulatedDevice) -> str:
    (line,) = library_progress.lines_of_device(stored(device))
    return line.next


def test_a_package_arrives_and_changes_and_stays(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    assert (due(mac), status(mac, vpn)) == (True, "PENDING")
    assert mac.connect() == TOLD
    assert (there(mac), status(mac, vpn)) == ("4.2", "PASS")
    assert documents(mac)[name(vpn)]["Payload"]["InstallBehavior"] == {"Install": "Required"}
    clock.passes(days=2)
    assert (due(mac), mac.connect()) == (False, [])

    replace(tenant, vpn, NEWER)
    assert (due(mac), status(mac, vpn)) == (True, "CHANGE_PENDING")
    assert mac.connect() == TOLD
    assert (there(mac), status(mac, vpn)) == ("4.3", "PASS")

    remove(blueprint, vpn)
    assert mac.connect() == TOLD
    assert (documents(mac), there(mac), status(mac, vpn)) == ({}, "4.3", None)
    assert not DeviceItem.objects.exists()
    assert DeviceDeclarations.objects.get().status["package.list"] == {}
    assert (due(mac), mac.connect()) == (False, [])


def test_a_new_mac_gets_its_packages_in_its_first_sessions(
    blueprint: Blueprint, new_device: NewDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    device = new_device("mac_26")
    answers = [*device.connect(), *device.connect()]
    assert "InstallEnterpriseApplication" not in dict(answers)
    assert (there(device), status(device, vpn)) == ("4.2", "PASS")


def test_a_component_and_a_package_without_apps_arrive(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, clock: Clock
) -> None:
    item = create(tenant, COMPONENT.data)
    assign(blueprint, item)
    mac.connect()
    assert status(mac, item) == "PASS"


def test_one_without_a_version_is_not_possible(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, clock: Clock
) -> None:
    text = '<installer-gui-script minSpecVersion="2"><title>x</title></installer-gui-script>'
    item = create(tenant, Installer(distribution=text, component="").data)
    assign(blueprint, item)
    assert mac.connect() == []
    assert (status(mac, item), log(mac, item)) == ("INCOMPATIBLE", package_files.NO_VERSION)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"restart": True}, package_files.RESTART), ({"postinstall_script": "#!/bin/zsh"}, package_files.SCRIPTS)],
)
def test_what_needs_an_agent_needs_it_here_too(
    fields: dict[str, Any], reason: str, tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice
) -> None:
    item = create(tenant, Installer().data, **fields)
    assign(blueprint, item)
    assert mac.connect() == []
    assert (status(mac, item), log(mac, item)) == ("INCOMPATIBLE", reason)


def test_an_item_that_becomes_impossible_is_not_declared(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    update_app(tenant=tenant, item_id=vpn.uuid, actor=ACTOR, restart=True)
    assert mac.connect() == TOLD
    assert (documents(mac), status(mac, vpn)) == ({}, "INCOMPATIBLE")


def test_a_deleted_item_is_not_declared(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    delete_item(tenant=tenant, item_id=vpn.uuid, actor=ACTOR)
    assert mac.connect() == TOLD
    assert (documents(mac), DeviceItem.objects.exists()) == ({}, False)


def test_what_fails_says_why_and_is_tried_once_more_the_next_day(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    mac.switches.packages_do_nothing = True
    assign(blueprint, vpn)
    mac.connect()
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", "The installer ended with an error.")
    before = documents(mac)[name(vpn)]["ServerToken"]
    clock.passes(hours=23)
    assert (due(mac), mac.connect()) == (False, [])
    clock.passes(hours=1, minutes=1)
    assert mac.connect() == TOLD
    again = documents(mac)[name(vpn)]["ServerToken"]
    assert again != before  # the Mac looks at it once more
    assert status(mac, vpn) == "ERROR"
    clock.passes(days=3)
    assert (due(mac), mac.connect()) == (False, [])

    mac.switches.packages_do_nothing = False
    device = stored(mac)
    retries.retry(tenant=tenant, device_id=device.uuid, item_id=vpn.uuid, actor=ACTOR)
    assert status(mac, vpn) == "PENDING"
    assert mac.connect() == TOLD
    assert documents(mac)[name(vpn)]["ServerToken"] not in {before, again}
    assert (there(mac), status(mac, vpn)) == ("4.2", "PASS")


def test_a_file_that_is_not_the_one_in_the_manifest_fails(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock, directory: Any
) -> None:
    (directory / vpn.custom_app.file.key).write_bytes(NEWER.data)
    assign(blueprint, vpn)
    mac.connect()
    assert (there(mac), status(mac, vpn), log(mac, vpn)) == (None, "ERROR", "The package could not be fetched.")


def test_a_declaration_that_the_mac_finds_invalid_has_failed(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    mac.switches.refuses_declarations = {TYPE}
    assign(blueprint, vpn)
    mac.connect()
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", "The switch of this device says so.")


def test_the_stages_of_an_installation_are_shown(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    told(mac)
    assert (status(mac, vpn), next_of(mac)) == ("PENDING", library_progress.TOLD)
    fetch(mac, vpn)
    assert (status(mac, vpn), next_of(mac)) == ("INSTALLING", library_progress.TAKEN)
    seen = []
    for state in ("queued", "prompting-for-consent", "downloading", "installing", "nonsense"):
        say(mac, package(vpn, state))
        seen.append((status(mac, vpn), log(mac, vpn)))
    assert seen == [
        ("DOWNLOADING", "The device has it in its queue."),
        ("INSTALLING", "The device asks its user whether to install it."),
        ("DOWNLOADING", "The device fetches it."),
        ("INSTALLING", "The device installs it."),
        ("INSTALLING", None),
    ]
    say(mac, package(vpn, "failed"))
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", FAILED)
    say(mac, package(vpn, "installed"))
    assert status(mac, vpn) == "PASS"


def test_a_mac_that_does_not_fetch_is_told_each_hour_and_has_failed_after_four(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    told(mac)
    for hour in range(3):
        clock.passes(hours=1, seconds=1)
        assert due(mac), hour
        told(mac)
        assert status(mac, vpn) == "PENDING"
    clock.passes(hours=1)
    told(mac)
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", NOT_FETCHED)


def test_a_mac_that_says_nothing_of_it_has_failed_after_four_hours(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    told(mac)
    fetch(mac, vpn)
    clock.passes(hours=3, minutes=50)
    told(mac)
    assert status(mac, vpn) == "INSTALLING"
    clock.passes(hours=1)
    told(mac)
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", NOT_SHOWN)


@pytest.mark.parametrize(
    "claim",
    [
        {"declaration-identifier": f"iru.package.{'0' * 32}"},
        {"declaration-identifier": "iru.update"},
        {"declaration-identifier": None},
        {"version": "9.9"},
        {"state": "optional"},
        {"state": None},
        {"_removed": True},
        {"identifier": None},
    ],
    ids=str,
)
def test_no_other_claim_is_a_success(
    claim: dict[str, Any], blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    told(mac)
    fetch(mac, vpn)
    said = {**package(vpn, "installed"), **claim}
    say(mac, {key: value for key, value in said.items() if value is not None})
    assert status(mac, vpn) == "INSTALLING"
    say(mac, package(vpn, "installed"))
    assert status(mac, vpn) == "PASS"


def test_what_was_not_fetched_cannot_have_succeeded(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    say(mac, package(vpn, "installed"))
    told(mac)
    say(mac, package(vpn, "installed"), full=True)
    assert status(mac, vpn) == "PENDING"
    fetch(mac, vpn)
    say(mac, package(vpn, "installed"))
    assert status(mac, vpn) == "PASS"
    replace(tenant, vpn, NEWER)
    say(mac, package(vpn, "installed"))
    told(mac)
    fetch(mac, vpn)
    say(mac, package(vpn, "installed"))  # the former version, late
    assert status(mac, vpn) == "INSTALLING"
    say(mac, package(vpn, "installed", "4.3.0"))
    assert status(mac, vpn) == "PASS"


def test_an_old_failure_is_not_that_of_the_next_try(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    told(mac)
    fetch(mac, vpn)
    say(mac, package(vpn, "failed"))
    clock.passes(hours=25)
    told(mac)
    fetch(mac, vpn)
    assert ask(mac, "status", b'{"StatusItems": {}, "Errors": []}').status == 200
    assert status(mac, vpn) == "INSTALLING"
    say(mac, package(vpn, "failed", reasons=[{"code": "Error.InstallFailed"}]))
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", "Error.InstallFailed")


def test_a_newer_file_of_the_same_version_is_there_already(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    replace(tenant, vpn, Installer(payload=b"another"))
    mac.connect()
    assert status(mac, vpn) == "PASS"


def test_a_mac_that_updates_its_system_keeps_what_it_has_and_gets_the_next_by_declaration(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, vpn: LibraryItem, clock: Clock
) -> None:
    component = create(tenant, COMPONENT.data, name="Fonts")
    assign(blueprint, vpn)
    assign(blueprint, component)
    mac = new_device("mac")
    mac.connect()
    clock.passes(minutes=1)
    mac.connect()
    assert (status(mac, vpn), status(mac, component)) == ("PASS", "INCOMPATIBLE")
    mac.switches.updates_early = True
    require_version(
        tenant=tenant,
        blueprint_id=blueprint.uuid,
        family=RequiredVersion.Family.MAC,
        version="26.1",
        date=timezone.now().date(),
        time=timezone.now().time(),
        actor=ACTOR,
    )
    for _ in range(3):
        mac.connect()
    assert (status(mac, vpn), status(mac, component)) == ("PASS", "PASS")
    assert documents(mac).keys() == {name(component)}
    replace(tenant, vpn, NEWER)
    assert mac.connect() == TOLD
    assert (there(mac), status(mac, vpn)) == ("4.3", "PASS")
    assert documents(mac).keys() == {name(component), name(vpn)}


def test_a_new_mac_that_is_not_supervised_gets_a_command(
    blueprint: Blueprint, new_device: NewDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    device = new_device("mac_26")
    device.switches.supervised = False
    answers = dict([*device.connect(), *device.connect()])
    assert "InstallEnterpriseApplication" in answers
    clock.passes(minutes=1)
    device.connect()
    assert (there(device), status(device, vpn), documents(device)) == ("4.2", "PASS", {})


def test_a_mac_that_takes_no_declarations_gets_a_command(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    inventory = stored(mac).inventory
    inventory.details["mdm"]["supervised"] = "False"
    inventory.save()
    assign(blueprint, vpn)
    assert [each for each in ARRIVES if each in mac.connect()]
    assert documents(mac) == {}


def test_a_person_who_deletes_the_app_does_not_get_it_again(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    delete(mac)
    clock.passes(days=2)
    mac.connect()
    assert (there(mac), status(mac, vpn)) == (None, "PASS")


def test_the_token_stays_the_same_while_nothing_changes(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    first = fetch(mac, vpn)
    clock.passes(days=200)
    assert fetch(mac, vpn) == first


# --- The link in a declaration ----------------------------------------------------------------------------------------


def test_the_link_lasts_as_long_as_the_mac_is_to_have_the_version(
    tenant: Tenant, blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    mac.connect()
    url = documents(mac)[name(vpn)]["Payload"]["ManifestURL"]
    clock.passes(days=200)
    assert follow(url).status_code == 200
    replace(tenant, vpn, NEWER)
    assert follow(url).status_code == 404
    mac.connect()
    url = documents(mac)[name(vpn)]["Payload"]["ManifestURL"]
    assert follow(url).status_code == 200
    assert follow(url.replace("/d.", "/f.")).status_code == 404
    assert follow(url.replace("/d.", "/m.")).status_code == 404
    assert follow(url[:-1] + ("A" if url[-1] != "A" else "B")).status_code == 404
    assert follow(url, host="globex.mdm.iru.test").status_code == 404
    mac.unenroll()
    assert follow(url).status_code == 404


def test_an_invalid_declaration_without_a_reason_says_so(
    blueprint: Blueprint, mac: SimulatedDevice, vpn: LibraryItem, clock: Clock
) -> None:
    assign(blueprint, vpn)
    told(mac)
    token = fetch(mac, vpn)["ServerToken"]

    def state(token: str) -> None:
        said = {"identifier": name(vpn), "server-token": token, "active": False, "valid": "invalid"}
        items = {"management": {"declarations": {"configurations": [said]}}}
        assert ask(mac, "status", json.dumps({"StatusItems": items, "Errors": []}).encode()).status == 200

    state("of another revision")
    assert status(mac, vpn) == "INSTALLING"
    state(token)
    assert (status(mac, vpn), log(mac, vpn)) == ("ERROR", INVALID)
    clock.passes(hours=25)
    told(mac)
    fetch(mac, vpn)
    assert ask(mac, "status", b'{"StatusItems": {}, "Errors": []}').status == 200
    assert status(mac, vpn) == "INSTALLING"  # it has said nothing of the new revision
