"""Whatever happens, in any order: a device gets what its Blueprint gives it, or its item has failed and says why.

IRU_DELIVERY_EXAMPLES says how many histories are tried; the default is for every run of the tests.
"""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from access.models import Tenant
from devices.library import custom_apps, ipa_apps
from devices.mdm.simulator import apps, packages
from devices.mdm.simulator.packages import DeclaredPackage
from devices.mdm.simulator.transports import Answer
from devices.models import Blueprint, DeviceItem, LibraryItem, StoredFile
from tests.devices.installers import Bundle, Installer
from tests.devices.mdm.conftest import NewDevice
from tests.devices.mdm.converging import Converging, State
from tests.devices.mdm.in_house import IDENTIFIER, stored_upload, upload
from tests.devices.sending import ACTOR
from tests.factories.devices import BlueprintFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("directory")]
EXAMPLES = int(os.environ.get("IRU_DELIVERY_EXAMPLES", "15"))
BUILDS = ("100", "200", "300")
VPN = "com.accuhive.vpn"


class PhoneConverges(Converging):
    """An iPhone with an in-house app, which is removed when it is not wanted any more."""

    kind, runs_on, elsewhere, later = "iphone", "runs_on_iphone", "runs_on_ipad", "26.0"
    refusable = (*Converging.refusable, "InstallApplication", "RemoveApplication")
    update_app = staticmethod(ipa_apps.update_app)

    def __init__(self) -> None:
        super().__init__()
        self.forget_lists()

    def forget_lists(self) -> None:
        super().forget_lists()
        self.managed = False  # in the last list that the server took
        self.version = ""  # in the last list of versions

    def new_app(self) -> LibraryItem:
        return ipa_apps.create_app(tenant=self.tenant, actor=ACTOR, name="Expenses", file_key=self.files[0].key)

    def restricted(self, here: bool) -> dict[str, Any]:
        return {"runs_on_iphone": here, "runs_on_ipad": True}

    def is_for_device(self, item: LibraryItem) -> bool:
        return item.ipa_app.runs_on_iphone

    def app_there(self) -> str:
        return self.version_in(self.device.state.apps) if IDENTIFIER in self.device.state.managed_apps else ""

    def version_in(self, listed: list[dict[str, Any]]) -> str:
        builds = [app["Version"] for app in listed if app["Identifier"] == IDENTIFIER]
        return self.files[BUILDS.index(builds[0])].sha256 if builds else ""

    def list_taken(self, request: dict[str, Any], fields: dict[str, Any]) -> None:
        if request["RequestType"] == "ManagedApplicationList":
            state = fields["ManagedApplicationList"].get(IDENTIFIER, {})
            self.managed = state.get("Status") == apps.MANAGED
        elif request["RequestType"] == "InstalledApplicationList":
            self.version = self.version_in(fields["InstalledApplicationList"])

    @rule(state=st.sampled_from(["", "", "Failed", "UserRejected", "UpdateRejected"]))
    def installations_end(self, state: str) -> None:
        self.device.switches.app_state = state

    @rule()
    def person_deletes_app(self) -> None:
        apps.delete(self.device, IDENTIFIER)

    @invariant()
    def an_app_is_a_success_when_the_device_showed_it(self) -> None:
        for row in DeviceItem.objects.filter(device=self.row, state=State.DONE, type="ipa-app"):
            assert (self.managed, row.shown, self.version) == (True, row.wanted, row.wanted)

    def settled(self, row: DeviceItem | None, failed: bool) -> None:
        wanted = [item.version for item in self.given() if item.type == "ipa-app" and not self.unfit(item)]
        if wanted:
            failed = row is not None and row.state == State.FAILED
        assert failed or self.app_there() == (wanted[0] if wanted else "")


class MacConverges(Converging):
    """A Mac with a package, which it keeps when it is not wanted any more. From macOS 26 it is declared."""

    kind, runs_on, elsewhere, later = "mac", "runs_on_mac", "runs_on_iphone", "26.0"
    refusable = (*Converging.refusable, "InstallEnterpriseApplication", "InstalledApplicationList")
    update_app = staticmethod(custom_apps.update_app)

    def __init__(self) -> None:
        super().__init__()
        self.forget_lists()
        self.installed = -1  # the number of the version that is there, unless a person deletes it
        self.deleted: tuple[int, str] | None = None  # a person deleted this version, which had been a success
        self.deleted_packages: list[DeclaredPackage] = []  # the Mac does not look whether their apps are there

    def check_in(self, kind: str, **fields: Any) -> Answer:
        answer = super().check_in(kind, **fields)
        if fields.get("Endpoint") == "status" and answer.status == 200:
            listed = json.loads(fields["Data"])["StatusItems"].get("package", {}).get("list", ())
            there = [each["version"] for each in listed if each.get("state") == packages.INSTALLED]
            self.proven |= {self.files[BUILDS.index(version)].sha256 for version in there}
        return answer

    def forget_lists(self) -> None:
        super().forget_lists()
        self.proven: set[str] = set()  # the versions for which a list that the server took was enough

    def new_app(self) -> LibraryItem:
        return custom_apps.create_app(
            tenant=self.tenant,
            actor=ACTOR,
            name="VPN",
            file_key=self.files[0].key,
            install_type="package",
            install_enforcement="install_once",
        )

    def restricted(self, here: bool) -> dict[str, Any]:
        return {}

    def is_for_device(self, item: LibraryItem) -> bool:
        return True

    def number_in(self, listed: list[dict[str, Any]]) -> int:
        return max([BUILDS.index(app["Version"]) for app in listed if app["Identifier"] == VPN], default=-1)

    def list_taken(self, request: dict[str, Any], fields: dict[str, Any]) -> None:
        if request["RequestType"] == "InstalledApplicationList":
            number = self.number_in(fields["InstalledApplicationList"])
            self.proven |= {file.sha256 for file in self.files[: number + 1]}

    @rule(nothing=st.booleans())
    def installers_do_nothing(self, nothing: bool) -> None:
        self.device.switches.packages_do_nothing = nothing

    @rule()
    def person_deletes_app(self) -> None:
        self.device.state.apps = [app for app in self.device.state.apps if app["Identifier"] != VPN]
        self.installed = -1
        row = DeviceItem.objects.filter(device=self.row, type="custom-app").exclude(shown="").first()
        self.deleted = (row.pk, row.shown) if row else None
        self.deleted_packages = list(self.device.state.declared_packages.values())

    @invariant()
    def a_package_is_a_success_when_the_mac_showed_it(self) -> None:
        for row in DeviceItem.objects.filter(device=self.row, state=State.DONE, type="custom-app"):
            assert row.shown == row.wanted
            assert row.wanted in self.proven

    @invariant()
    def a_package_stays(self) -> None:
        there = self.number_in(self.device.state.apps)
        assert there >= 0 or self.installed < 0
        self.installed = there
        assert not DeviceItem.objects.filter(device=self.row, type="custom-app", wanted="").exclude(state=State.UNFIT)

    def settled(self, row: DeviceItem | None, failed: bool) -> None:
        wanted = [item for item in self.given() if item.type == "custom-app"]
        assert (row is not None) == bool(wanted)
        if row is None or row.state in {State.FAILED, State.UNFIT} or (row.pk, row.wanted) == self.deleted:
            return
        declared = {id(each) for each in self.device.state.declared_packages.values()}
        if any(id(each) in declared for each in self.deleted_packages):
            return
        versions = [file.sha256 for file in self.files]
        assert self.number_in(self.device.state.apps) >= versions.index(wanted[0].version)


class NewMacConverges(MacConverges):
    """A Mac that takes declarations of packages from the beginning."""

    kind, later = "mac_26", "27.0"
    refusable = (*Converging.refusable, "DeclarativeManagement")


def run(machine: type[Converging], blueprint: Blueprint, new_device: NewDevice, keys: list[str]) -> None:
    device = new_device(machine.kind)
    device.connect()
    machine.tenant, machine.enrolled_device = blueprint.tenant, device
    machine.blueprints = (blueprint, BlueprintFactory.create(tenant=blueprint.tenant, name="Lab"))
    machine.files = [StoredFile.objects.get(key=key) for key in keys]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate] if EXAMPLES < 100 else [Phase.generate, Phase.shrink],
            derandomize=EXAMPLES < 100,
            database=None,
        ),
    )


def test_an_iphone_converges_to_its_plan_in_any_order_of_events(
    mdm: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    systems = ("17.0", "17.0", "26.0")
    keys = [upload(mdm, CFBundleVersion=b, MinimumOSVersion=least) for b, least in zip(BUILDS, systems, strict=True)]
    for key in keys:  # an item that has a file keeps it from being deleted with the others
        ipa_apps.create_app(tenant=mdm, actor=ACTOR, name="Keeper", file_key=key)
    run(PhoneConverges, blueprint, new_device, keys)


@pytest.mark.parametrize("machine", [MacConverges, NewMacConverges])
def test_a_mac_converges_to_its_plan_in_any_order_of_events(
    mdm: Tenant, blueprint: Blueprint, new_device: NewDevice, machine: type[MacConverges]
) -> None:
    installers = [
        Installer(bundles=(Bundle(version=build, build=build),), version=build, minimum=least).data
        for build, least in zip(BUILDS, ("13.0", "13.0", machine.later), strict=True)
    ]
    purpose = StoredFile.Purpose.CUSTOM_APP
    keys = [stored_upload(mdm, purpose, f"VPN {number}.pkg", data) for number, data in enumerate(installers)]
    for key in keys:  # an item that has a file keeps it from being deleted with the others
        custom_apps.create_app(
            tenant=mdm,
            actor=ACTOR,
            name="Keeper",
            file_key=key,
            install_type="package",
            install_enforcement="install_once",
        )
    run(machine, blueprint, new_device, keys)
