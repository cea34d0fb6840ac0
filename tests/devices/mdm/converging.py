"""A state machine: a device, what administrators and its user do, and what holds whatever happens in any order."""

import plistlib
from copy import copy, deepcopy
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from access.models import Tenant
from devices.enrollment.enrollments import wake
from devices.enrollment.profiles import enrollment_profile
from devices.fleet.devices import update_device
from devices.library.assignment import assign_library_item, remove_library_item
from devices.library.items import delete_item
from devices.library.profile_files import mdm_identifier
from devices.library.profiles import create_profile, update_profile
from devices.library.statuses import rows_of_device
from devices.mdm.questions import ask_inventory
from devices.mdm.rollout import wake_due
from devices.mdm.simulator import apps, declarations, packages
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.transports import Answer
from devices.models import Blueprint, Device, DeviceItem, Enrollment, LibraryItem, StoredFile
from tests.devices.mdm.crashes import Crash, crashes, crashing
from tests.devices.sending import ACTOR
from tests.factories.devices import PROFILE

OURS = "com.kandji.profile.custom."
MOMENT = timedelta(milliseconds=1)
State = DeviceItem.State
APP = 2  # its number among the items
numbers, profiles, places = st.integers(0, APP), st.integers(0, APP - 1), st.integers(0, 1)
versions = st.integers(0, 2)


class Converging(RuleBasedStateMachine):
    """One device, two Blueprints, two profiles and an app with three versions, the last of which needs a newer system.

    A subclass says which device and which app it is.
    """

    kind: str
    runs_on: str  # the field of an item that is for the device
    elsewhere: str  # the same for another family
    refusable: tuple[str, ...] = ("InstallProfile", "RemoveProfile")
    app_name: str  # the identifier of the app
    files: list[StoredFile]  # those of its versions, in their order
    later: str  # the version of the system that the last one needs

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
        self.items = [self.new_item(number) for number in range(APP + 1)]
        self.assign(APP, 0)  # most histories are to be about the app, too
        self.listed: dict[str, str] = {}  # what the last list said that the server took
        self.here: dict[str, Any] | None = None
        self.crash: int | None = None  # of the server, in the next check-in
        self.lost = False  # its answer
        self.device.check_in = self.check_in  # type: ignore[method-assign]
        self.by_hand: set[str] = set()  # the names of profiles that a person installed

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.history.__exit__(None, None, None)
        self.clock.stop()

    def new_item(self, number: int) -> LibraryItem:
        if number == APP:
            return self.new_app()
        # The second profile is for other devices alone until somebody says otherwise.
        runs_on = {self.runs_on: number == 0, self.elsewhere: number == 1}
        name = f"Profile {number}"
        return create_profile(tenant=self.tenant, actor=ACTOR, file=PROFILE.encode(), name=name, **runs_on)

    def update(self, number: int, **fields: Any) -> None:
        change = self.update_app if number == APP else update_profile
        self.items[number] = change(tenant=self.tenant, item_id=self.items[number].uuid, actor=ACTOR, **fields)

    # --- What a subclass says of its app ------------------------------------------------------------------------------

    update_app: Any

    def new_app(self) -> LibraryItem:
        raise NotImplementedError

    def restricted(self, here: bool) -> dict[str, Any]:
        """The fields by which the app is for the device, or for others."""
        raise NotImplementedError

    def is_for_device(self, item: LibraryItem) -> bool:
        raise NotImplementedError

    def app_there(self) -> str:
        """The version of the app on the device; "" for none."""
        raise NotImplementedError

    def list_taken(self, request: dict[str, Any], fields: dict[str, Any]) -> None:
        """The server took this list of apps."""
        raise NotImplementedError

    def forget_lists(self) -> None:
        """The device enrolls anew: no list of before is proof."""
        self.listed = {}

    def settled(self, row: DeviceItem | None, failed: bool) -> None:
        """Nothing is on its way any more. Check the app against its row; `failed`: that says why it is not there."""
        raise NotImplementedError

    # --- What administrators do ---------------------------------------------------------------------------------------

    @rule(item=numbers, blueprint=places)
    def assign(self, item: int, blueprint: int) -> None:
        target, given = self.blueprints[blueprint], self.items[item]
        change = remove_library_item if target.assignments.filter(library_item=given).exists() else assign_library_item
        change(tenant=self.tenant, blueprint_id=target.uuid, library_item_id=given.uuid, node_id=None, actor=ACTOR)

    @rule(item=numbers)
    def edit(self, item: int) -> None:
        self.update(item, name=f"Item {item} at {self.now}")

    @rule(version=versions)
    def replace_file(self, version: int) -> None:
        self.update(APP, file_key=self.files[version].key)

    @rule(version=versions)
    def replace_file_of_what_is_there(self, version: int) -> None:
        self.settle()
        self.replace_file(version)
        self.settle()

    @rule(item=numbers, active=st.booleans(), here=st.booleans())
    def restrict(self, item: int, active: bool, here: bool) -> None:
        flags = self.restricted(here) if item == APP else {self.runs_on: here, self.elsewhere: True}
        self.update(item, active=active, **flags)

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

    @rule(item=profiles, replaced=st.booleans())
    def person_changes_profile(self, item: int, replaced: bool) -> None:
        """A person removes a profile on the device, or installs another version of it."""
        name = mdm_identifier(self.items[item])
        if replaced:
            self.by_hand.add(name)
            self.device.state.profiles[name] = {"PayloadIdentifier": name, "PayloadUUID": "BY HAND"}
        else:
            self.device.state.profiles.pop(name, None)

    @rule(data=st.data())
    def refuse_from_now_on(self, data: st.DataObject) -> None:
        self.device.switches.errors = data.draw(st.sets(st.sampled_from(self.refusable)))

    @rule(crash=crashes, lost=st.booleans())
    def live(self, crash: int | None, lost: bool) -> None:
        """The device fetches its declarations, and fetches and installs the app that it took."""
        self.crash, self.lost = crash, lost
        declarations.live(self.device)
        self.crash, self.lost = None, False
        apps.live(self.device)
        packages.live(self.device)

    @rule()
    def update_system(self) -> None:
        self.device.state.os_version = self.later

    @rule()
    def day_begins(self) -> None:
        ask_inventory(self.fresh(), self.enrollment)
        wake([self.row.pk])

    @rule()
    def enroll_anew(self) -> None:
        self.device._forget()
        for name in [name for name in self.device.state.profiles if name.startswith(OURS)]:
            del self.device.state.profiles[name]
        self.device.enroll(enrollment_profile(self.blueprints[0]))
        self.here = None
        self.forget_lists()

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
            fields = plistlib.loads(plistlib.dumps(fields))
            message = {"Status": status, "CommandUUID": delivery["CommandUUID"], **fields}
            taken = self.exchange(crash, lost, message)
            if taken and status == "Acknowledged":
                if request["RequestType"] == "ProfileList":
                    self.listed = {row["PayloadIdentifier"]: row["PayloadUUID"] for row in fields["ProfileList"]}
                self.list_taken(request, fields)
            crash, not_now = None, False

    @rule()
    def settle(self) -> None:
        """A day begins, the device comes whenever it is woken, and nothing disturbs it: it has what it is to have."""
        self.here = None
        self.day_begins()
        for _ in range(100):
            moving = DeviceItem.objects.filter(device=self.row, state=State.SENT, next_at__isnull=False)
            dues = [self.enrollment.push_due_at, *moving.values_list("next_at", flat=True)]
            due = min((each for each in dues if each is not None), default=None)
            if due is None:
                break
            self.now = max(self.now, due) + MOMENT
            wake_due.call()
            if self.enrollment.push_due_at is not None:
                self.now = max(self.now, self.enrollment.push_due_at) + MOMENT
                self.session()
        rows = {row.item_uuid: row for row in DeviceItem.objects.filter(device=self.row)}
        for row in rows.values():
            assert row.state in {State.DONE, State.FAILED, State.UNFIT}, row
            assert row.state == State.DONE or row.error
        others = [row for row in rows.values() if row.type == "profile"]
        failed = {mdm_identifier(self.of(row.item_uuid)) for row in others if row.state == State.FAILED}
        differs = {name for name, _ in self.there().items() ^ self.wanted().items()}
        assert differs - (self.by_hand - self.wanted().keys()) <= failed
        self.settled(
            rows.get(self.items[APP].uuid), any(r.state == State.FAILED for r in rows.values() if r.type != "profile")
        )

    @rule()
    def converge(self) -> None:
        """Nothing refuses any more, and some days pass: no failure is left that had another try."""
        self.device.switches = copy(self.enrolled_device.switches)
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
        for each in DeviceItem.objects.filter(device=self.row, state=State.DONE, type="profile"):
            shown = self.listed.get(mdm_identifier(self.of(each.item_uuid)), "")
            assert each.shown == each.wanted == shown.upper()
        for uuid, row in rows.items():
            if row.status == "success":  # no app has this word
                assert self.listed.get(mdm_identifier(self.of(uuid)))

    @invariant()
    def what_is_missing_wakes_the_device(self) -> None:
        rows = DeviceItem.objects.filter(device=self.row)
        planned = {row.item_uuid: row.wanted for row in rows if row.wanted}
        wanted = {item.uuid: item.version for item in self.given() if not self.unfit(item)}
        waiting = rows.filter(state__in=[State.WAITING, State.SENT], next_at=None).exists()
        if waiting or planned != wanted:
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

    def check_in(self, kind: str, **fields: Any) -> Answer:
        """Send a check-in. One of those after a lost one is answered."""
        crash, lost, self.crash, self.lost = self.crash, self.lost, None, False
        self.now += MOMENT
        try:
            with transaction.atomic(), crashing(crash):
                answer = SimulatedDevice.check_in(self.device, kind, **fields)
        except Crash:
            lost = True
        return Answer(503, {}, b"") if lost else answer

    def session(self) -> None:
        self.exchange(None, False, {"Status": "Idle"})
        for _ in range(80):
            if self.here is None:
                return
            self.answer(None, False, False, 1)
            if self.here is None:
                self.live(None, False)
        raise AssertionError("The session has no end.")

    def given(self) -> list[LibraryItem]:
        """The items that the device's Blueprint gives it now, also those that are not possible on it."""
        assigned = self.fresh().blueprint.assignments.filter(library_item__active=True)
        items = [each.library_item for each in assigned.select_related("library_item")]
        return [item for item in items if self.is_given(item)]

    def is_given(self, item: LibraryItem) -> bool:
        if item.type == "profile":
            return bool(getattr(item.custom_profile, self.runs_on))
        return self.is_for_device(item)

    def unfit(self, item: LibraryItem) -> bool:
        """Whether the device, as the server knows it, has too old a system for the app."""
        return item.version == self.files[2].sha256 and self.fresh().os_version != self.later

    def wanted(self) -> dict[str, str]:
        """By identifier, the profiles that the device is to have now."""
        return {mdm_identifier(item): item.version for item in self.given() if item.type == "profile"}

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
