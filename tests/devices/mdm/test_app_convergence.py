"""Whatever happens to in-house apps, in any order: a device gets those of its Blueprint, or one failed and says why.

IRU_DELIVERY_EXAMPLES says how many histories are tried; the default is for every run of the tests.
"""

import os
from copy import copy, deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from access.models import Tenant
from devices.commands.queue import enqueue
from devices.enrollment.enrollments import wake
from devices.enrollment.profiles import enrollment_profile
from devices.library.ipa_apps import create_app, update_app
from devices.library.items import delete_item
from devices.mdm.rollout import wake_due
from devices.mdm.simulator import apps
from devices.mdm.simulator.device import Cut, SimulatedDevice
from devices.mdm.simulator.transports import ConnectionCut
from devices.models import Blueprint, Device, DeviceItem, Enrollment, LibraryItem, Order
from tests.devices.mdm.conftest import NewDevice
from tests.devices.mdm.in_house import upload
from tests.devices.mdm.test_rollout import assign, remove
from tests.devices.sending import ACTOR

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("IRU_DELIVERY_EXAMPLES", "15"))
MOMENT = timedelta(seconds=1)
NOTES = ("a", "bQ7", "cx92K!v")  # of different sizes
State = DeviceItem.State
numbers, versions = st.integers(0, 1), st.integers(0, 2)


class Convergence(RuleBasedStateMachine):
    """One iPhone, one Blueprint, and two apps with three versions each. Two versions have the same number."""

    tenant: Tenant
    blueprint: Blueprint
    enrolled_device: SimulatedDevice
    files: list[list[str]]  # by app and version, the keys

    def __init__(self) -> None:
        super().__init__()
        self.now = timezone.now()
        self.clock = patch.object(timezone, "now", lambda: self.now)
        self.clock.start()
        self.history = transaction.atomic()
        self.history.__enter__()
        self.device = copy(self.enrolled_device)
        self.device.state = deepcopy(self.enrolled_device.state)
        self.device.conversation = []
        self.device.switches = copy(self.enrolled_device.switches)
        self.device.switches.errors = set()
        self.row: Device = self.tenant.devices.only("pk", "uuid", "tenant").get()
        self.items = [self.new_item(number) for number in range(2)]
        for item in self.items:
            assign(self.blueprint, item)
        self.time_passes(2)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.history.__exit__(None, None, None)
        self.clock.stop()

    def new_item(self, number: int) -> LibraryItem:
        return create_app(tenant=self.tenant, actor=ACTOR, name=f"App {number}", file_key=self.files[number][0])

    # --- What administrators do ---------------------------------------------------------------------------------------

    @rule(item=numbers)
    def give_or_take(self, item: int) -> None:
        given = self.blueprint.assignments.filter(library_item=self.items[item]).exists()
        (remove if given else assign)(self.blueprint, self.items[item])

    @rule(item=numbers, version=versions)
    def update(self, item: int, version: int) -> None:
        key, pk = self.files[item][version], self.items[item].uuid
        self.items[item] = update_app(tenant=self.tenant, item_id=pk, actor=ACTOR, file_key=key)

    @rule(item=numbers)
    def replace(self, item: int) -> None:
        delete_item(tenant=self.tenant, item_id=self.items[item].uuid, actor=ACTOR)
        self.items[item] = self.new_item(item)

    @rule(hours=st.sampled_from([0.02, 0.3, 1.1, 5, 25]))
    def wait(self, hours: float) -> None:
        self.now += timedelta(hours=hours)
        wake_due.call()

    @rule()
    def ask(self) -> None:
        enqueue(device=self.fresh(), orders=[Order("managed_applications")])
        wake([self.row.pk])

    # --- What happens to the device -----------------------------------------------------------------------------------

    @rule(item=numbers)
    def person_deletes(self, item: int) -> None:
        apps.delete(self.device, f"com.example.app{item}")

    @rule(
        state=st.sampled_from(["", "", "UserRejected", "Failed", "Prompting"]),
        errors=st.sets(st.sampled_from(["InstallApplication", "RemoveApplication", "ManagedApplicationList"])),
    )
    def be_odd_from_now_on(self, state: str, errors: set[str]) -> None:
        self.device.switches.app_state, self.device.switches.errors = state, errors

    @rule()
    def enroll_anew(self) -> None:
        apps.forget(self.device)
        self.device.enroll(enrollment_profile(self.blueprint))

    @rule(not_now=st.integers(0, 2), cut=st.sampled_from([None, None, *Cut]))
    def session(self, not_now: int = 0, cut: Cut | None = None) -> None:
        self.now += MOMENT
        before = {row.pk for row in self.rows() if row.state == State.DONE}
        self.device.switches.not_now, self.device.cut = not_now, cut
        try:
            self.device.connect()
        except ConnectionCut:
            return
        assert len(self.device.conversation) < 2000
        for row in self.rows():
            if row.state == State.DONE and row.pk not in before:
                assert self.device.state.managed_apps[row.identifier] in {"Managed", "Updating", "Installing"}
                assert self.there()[row.identifier] == self.version_of(row.item_uuid)

    @rule(sessions=st.integers(1, 3))
    def time_passes(self, sessions: int) -> None:
        for _ in range(sessions):
            self.session()
            self.wait(1.1)

    @rule()
    def settle(self) -> None:
        """Nothing refuses any more, a few days pass, and the device comes whenever it is woken."""
        self.device.switches.app_state, self.device.switches.errors = "", set()
        end = self.now + timedelta(days=3)
        self.ask()
        sessions = 0
        while (moment := self.next_moment()) is not None and moment < end:
            sessions += 1
            assert sessions < 100, "The device is woken without end."
            self.now = max(self.now, moment) + MOMENT
            wake_due.call()
            self.session()
        wanted, rows = self.wanted(), self.rows()
        failed = {row.identifier for row in rows if row.state == State.FAILED}
        for row in rows:
            assert row.state == State.DONE or (row.state == State.FAILED and row.error and row.next_at is None), row
        assert {name for name, _ in wanted.items() ^ self.there().items()} <= failed

    # --- What holds at every moment -----------------------------------------------------------------------------------

    @invariant()
    def what_is_missing_wakes_the_device(self) -> None:
        for row in self.rows():
            if row.state in {State.WAITING, State.SENT}:
                assert row.next_at is not None or self.enrollment.push_due_at is not None

    # --- The state of both sides --------------------------------------------------------------------------------------

    def next_moment(self) -> datetime | None:
        moments = [self.enrollment.push_due_at, *(row.next_at for row in self.rows())]
        return min((moment for moment in moments if moment is not None), default=None)

    def rows(self) -> list[DeviceItem]:
        return list(DeviceItem.objects.filter(device=self.row))

    def version_of(self, uuid: Any) -> tuple[str, int]:
        """Its size tells apart what has the same number."""
        file = LibraryItem.objects.select_related("ipa_app__file").get(uuid=uuid).ipa_app.file
        return file.metadata["app_build"], file.size

    def wanted(self) -> dict[str, tuple[str, int]]:
        given = self.blueprint.assignments.values_list("library_item__uuid", flat=True)
        numbers = {item.uuid: number for number, item in enumerate(self.items)}
        return {f"com.example.app{numbers[uuid]}": self.version_of(uuid) for uuid in given}

    def there(self) -> dict[str, tuple[str, int]]:
        found = (app for app in self.device.state.apps if app["Identifier"].startswith("com.example.app"))
        return {app["Identifier"]: (app["Version"], app["BundleSize"]) for app in found}

    def fresh(self) -> Device:
        return Device.objects.select_related("tenant", "blueprint").get(pk=self.row.pk)

    @property
    def enrollment(self) -> Enrollment:
        return self.tenant.enrollments.get(state=Enrollment.State.ENROLLED)


def test_a_device_converges_to_its_apps_in_any_order_of_events(
    mdm: Tenant, blueprint: Blueprint, new_device: NewDevice, directory: Path
) -> None:
    device = new_device("iphone")
    device.connect()
    Convergence.tenant, Convergence.blueprint, Convergence.enrolled_device = mdm, blueprint, device
    Convergence.files = [
        [
            upload(mdm, CFBundleIdentifier=f"com.example.app{number}", CFBundleVersion=build, Note=NOTES[which])
            for which, build in enumerate(("1", "2", "2"))
        ]
        for number in range(2)
    ]
    run_state_machine_as_test(
        Convergence,
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
