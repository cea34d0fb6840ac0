"""Whatever happens, in any order: a device gets what its Blueprint gives it, or its item has failed and says why.

IRU_DELIVERY_EXAMPLES says how many histories are tried; the default is for every run of the tests.
"""

import os
import plistlib
from copy import copy, deepcopy
from datetime import timedelta
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
from devices.fleet.devices import update_device
from devices.library.assignment import assign_library_item, remove_library_item
from devices.library.items import delete_item
from devices.library.profile_files import mdm_identifier
from devices.library.profiles import create_profile, update_profile
from devices.library.statuses import rows_of_device
from devices.mdm.rollout import wake_due
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, Device, DeviceItem, Enrollment, LibraryItem, Order
from tests.devices.mdm.conftest import NewDevice
from tests.devices.mdm.crashes import Crash, crashes, crashing
from tests.devices.sending import ACTOR
from tests.factories.devices import PROFILE, BlueprintFactory

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("IRU_DELIVERY_EXAMPLES", "15"))
OURS = "com.kandji.profile.custom."
MOMENT = timedelta(milliseconds=1)
State = DeviceItem.State
numbers, places = st.integers(0, 2), st.integers(0, 1)


class Convergence(RuleBasedStateMachine):
    """One Mac, two Blueprints and three profiles."""

    tenant: Tenant
    blueprints: tuple[Blueprint, Blueprint]
    enrolled_device: SimulatedDevice

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
        self.items = [self.new_item(number) for number in range(3)]
        self.listed: dict[str, str] = {}  # what the last list said that the server took
        self.here: dict[str, Any] | None = None
        self.by_hand: set[str] = set()  # the names of profiles that a person installed

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.history.__exit__(None, None, None)
        self.clock.stop()

    def new_item(self, number: int) -> LibraryItem:
        # The third one is for iPhones alone until somebody says otherwise.
        return create_profile(
            tenant=self.tenant,
            actor=ACTOR,
            file=PROFILE.encode(),
            name=f"Profile {number}",
            runs_on_mac=number < 2,
            runs_on_iphone=number == 2,
        )

    # --- What administrators do ---------------------------------------------------------------------------------------

    @rule(item=numbers, blueprint=places)
    def assign(self, item: int, blueprint: int) -> None:
        target, given = self.blueprints[blueprint], self.items[item]
        change = remove_library_item if target.assignments.filter(library_item=given).exists() else assign_library_item
        change(tenant=self.tenant, blueprint_id=target.uuid, library_item_id=given.uuid, node_id=None, actor=ACTOR)

    @rule(item=numbers)
    def edit(self, item: int) -> None:
        name = f"Profile {item} at {self.now}"
        self.items[item] = update_profile(tenant=self.tenant, item_id=self.items[item].uuid, actor=ACTOR, name=name)

    @rule(item=numbers, active=st.booleans(), mac=st.booleans())
    def restrict(self, item: int, active: bool, mac: bool) -> None:
        self.items[item] = update_profile(
            tenant=self.tenant,
            item_id=self.items[item].uuid,
            actor=ACTOR,
            active=active,
            runs_on_mac=mac,
            runs_on_iphone=True,
        )

    @rule(item=numbers)
    def replace(self, item: int) -> None:
        delete_item(tenant=self.tenant, item_id=self.items[item].uuid, actor=ACTOR)
        self.items[item] = self.new_item(item)

    @rule(blueprint=places)
    def move(self, blueprint: int) -> None:
        target = self.blueprints[blueprint].uuid
        update_device(tenant=self.tenant, device_id=self.row.uuid, actor=ACTOR, blueprint=target)

    @rule(hours=st.sampled_from([0.02, 1.1, 25, 24 * 15]))
    def wait(self, hours: float) -> None:
        self.now += timedelta(hours=hours)
        wake_due.call()

    # --- What happens to the device -----------------------------------------------------------------------------------

    @rule(item=numbers, replaced=st.booleans())
    def person_changes_profile(self, item: int, replaced: bool) -> None:
        """A person removes a profile on the device, or installs another version of it."""
        name = mdm_identifier(self.items[item])
        if replaced:
            self.by_hand.add(name)
            self.device.state.profiles[name] = {"PayloadIdentifier": name, "PayloadUUID": "BY HAND"}
        else:
            self.device.state.profiles.pop(name, None)

    @rule(errors=st.sets(st.sampled_from(["InstallProfile", "RemoveProfile"])))
    def refuse_from_now_on(self, errors: set[str]) -> None:
        self.device.switches.errors = errors

    @rule()
    def enroll_anew(self) -> None:
        for name in [name for name in self.device.state.profiles if name.startswith(OURS)]:
            del self.device.state.profiles[name]
        self.device.enroll(enrollment_profile(self.blueprints[0]))
        self.here, self.listed = None, {}

    @rule(crash=crashes, lost=st.booleans())
    def idle(self, crash: int | None, lost: bool) -> None:
        self.exchange(crash, lost, {"Status": "Idle"})

    @rule(crash=crashes, lost=st.booleans(), not_now=st.booleans(), times=st.integers(1, 4))
    def answer(self, crash: int | None, lost: bool, not_now: bool, times: int) -> None:
        """Carry out the command that the device has, and answer it; several times with what comes then."""
        for _ in range(times):
            if self.here is None:
                return
            delivery, self.here = self.here, None
            request = delivery["Command"]
            status, fields = ("NotNow", {}) if not_now else self.device._carried_out(request)
            if request["RequestType"] == "ProfileList":
                fields = plistlib.loads(plistlib.dumps(fields))
            message = {"Status": status, "CommandUUID": delivery["CommandUUID"], **fields}
            taken = self.exchange(crash, lost, message)
            if taken and status == "Acknowledged" and request["RequestType"] == "ProfileList":
                self.listed = {row["PayloadIdentifier"]: row["PayloadUUID"] for row in fields["ProfileList"]}
            crash, not_now = None, False

    @rule()
    def settle(self) -> None:
        """A day begins, the device comes whenever it is woken, and nothing disturbs it: it has what it is to have."""
        self.here = None
        self.ask_for_profiles()
        for _ in range(6):
            due = self.enrollment.push_due_at
            if due is None:
                break
            self.now = max(self.now, due) + MOMENT
            self.session()
        rows = {row.item_uuid: row for row in DeviceItem.objects.filter(device=self.row)}
        failed = {mdm_identifier(self.of(uuid)) for uuid, row in rows.items() if row.state == State.FAILED}
        for row in rows.values():
            assert row.state in {State.DONE, State.FAILED}, row
            assert row.state == State.DONE or row.error
        differs = {name for name, _ in self.there().items() ^ self.wanted().items()}
        assert differs - (self.by_hand - self.wanted().keys()) <= failed

    @rule()
    def converge(self) -> None:
        """Nothing refuses any more, and some days pass: no failure is left that had another try."""
        self.device.switches.errors = set()
        self.settle()
        tried = [row.pk for row in DeviceItem.objects.filter(device=self.row, next_at__isnull=False)]
        self.now += timedelta(hours=25)
        wake_due.call()
        self.settle()
        assert not DeviceItem.objects.filter(pk__in=tried, state=State.FAILED).exists()

    # --- What holds at every moment -----------------------------------------------------------------------------------

    @invariant()
    def success_is_what_the_device_showed(self) -> None:
        rows = {row.item.uuid: row for row in rows_of_device(self.fresh())}
        for each in DeviceItem.objects.filter(device=self.row, state=State.DONE):
            shown = self.listed.get(mdm_identifier(self.of(each.item_uuid)), "")
            assert each.shown == each.wanted == shown.upper()
        for uuid, row in rows.items():
            if row.status == "success":
                assert self.listed.get(mdm_identifier(self.of(uuid)))

    @invariant()
    def what_is_missing_wakes_the_device(self) -> None:
        rows = DeviceItem.objects.filter(device=self.row)
        planned = {mdm_identifier(self.of(row.item_uuid)): row.wanted for row in rows if row.wanted}
        waiting = rows.filter(state__in=[State.WAITING, State.SENT]).exists()
        if waiting or planned != self.wanted():
            assert self.enrollment.push_due_at is not None

    # --- The exchange -------------------------------------------------------------------------------------------------

    def exchange(self, crash: int | None, lost: bool, message: dict[str, Any]) -> bool:
        """Send a message of a session, and keep what comes. Returns whether the server took it."""
        self.now += MOMENT
        fields = dict(message)
        try:
            with transaction.atomic(), crashing(crash):
                answer = self.device.say(fields.pop("Status"), **fields)
        except Crash:
            self.here = None
            return False
        assert answer.status == 200
        self.here = plistlib.loads(answer.body) if answer.body and not lost else None
        return True

    def session(self) -> None:
        self.exchange(None, False, {"Status": "Idle"})
        for _ in range(80):
            if self.here is None:
                return
            self.answer(None, False, False, 1)
        raise AssertionError("The session has no end.")

    def ask_for_profiles(self) -> None:
        enqueue(device=self.fresh(), orders=[Order("profile_list")])
        wake([self.row.pk])

    def wanted(self) -> dict[str, str]:
        """By identifier, what the device's Blueprint gives it now."""
        assigned = self.fresh().blueprint.assignments.filter(library_item__active=True)
        given = [each.library_item for each in assigned.select_related("library_item__custom_profile")]
        return {mdm_identifier(item): item.version for item in given if item.custom_profile.runs_on_mac}

    def there(self) -> dict[str, str]:
        profiles = self.device.state.profiles
        return {name: profile["PayloadUUID"] for name, profile in profiles.items() if name.startswith(OURS)}

    def of(self, uuid: Any) -> LibraryItem:
        return LibraryItem(uuid=uuid)

    def fresh(self) -> Device:
        return Device.objects.select_related("tenant", "blueprint").get(pk=self.row.pk)

    @property
    def enrollment(self) -> Enrollment:
        return self.tenant.enrollments.get(state=Enrollment.State.ENROLLED)


def test_a_device_converges_to_its_plan_in_any_order_of_events(
    mdm: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    device = new_device("mac")
    device.connect()
    Convergence.tenant, Convergence.enrolled_device = mdm, device
    Convergence.blueprints = (blueprint, BlueprintFactory.create(tenant=mdm, name="Lab"))
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
