"""What is promised about the delivery of commands, in any order of what can happen to a device and to the server.

IRU_DELIVERY_EXAMPLES says how many histories are tried; the default is for every run of the tests.
"""

import os
import plistlib
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import dataclass, field
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
from devices.commands import CommandRefused
from devices.commands.queue import cancel_command
from devices.enrollment.profiles import enrollment_profile
from devices.mdm.simulator.device import CONNECT, SimulatedDevice
from devices.models import Blueprint, DeviceCommand, Enrollment
from tests.devices.mdm.conftest import NewDevice
from tests.devices.mdm.crashes import Crash, crashes, crashing
from tests.devices.sending import ACTOR, send

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("IRU_DELIVERY_EXAMPLES", "15"))
Status, UNFINISHED = DeviceCommand.Status, DeviceCommand.UNFINISHED
MOMENT = timedelta(milliseconds=1)
SENT: dict[str, dict[str, Any]] = {
    "restart_device": {},
    "shutdown_device": {},
    "set_device_name": {"DeviceName": "Named"},
    "update_inventory": {},
    "lock_device": {},
    "enable_lost_mode": {"Message": "Lost"},
    "clear_passcode": {},
    "renew_mdm_profile": {},
    "send_blankpush": {},
}
ANSWERS = ["Acknowledged", "Error", "NotNow", "CommandFormatError"]


@dataclass
class Known:
    """What a command has been through, as the device and the answers of the server saw it."""

    uuid: str
    command: str
    deliveries: int = 0
    answered: bool = False  # and the answer was taken
    ended_by_server: bool = False
    rank: int = 1
    contents: set[str] = field(default_factory=set)  # RequestTypes under this UUID


class Delivery(RuleBasedStateMachine):
    """One device, its queue, and the server between them."""

    tenant: Tenant
    blueprint: Blueprint
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
        self.row = self.tenant.devices.only("pk", "uuid", "tenant").get()
        self.known: dict[str, Known] = {}
        self.here: dict[str, Any] | None = None  # what the device has been given, and not answered
        self.last: bytes = b""  # its last answer
        self.refused: set[str] = set()  # in this session

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.history.__exit__(None, None, None)
        self.clock.stop()

    # --- What people and time do --------------------------------------------------------------------------------------

    @rule(command=st.sampled_from(sorted(SENT)))
    def send(self, command: str) -> None:
        try:
            sent = send(self.row, command, **SENT[command]).command
        except CommandRefused:
            return
        uuid = str(sent.uuid).upper()
        self.known[uuid] = Known(uuid, command, rank=sent.rank)
        if self.enrolled:
            due = self.enrollment.push_due_at
            assert due is not None
            assert due <= self.now

    @rule(number=st.integers(0, 20))
    def cancel(self, number: int) -> None:
        waiting = list(self.row.commands.unfinished().filter(requested_by__gt=""))
        if not waiting:
            return
        row = waiting[number % len(waiting)]
        uuid = str(row.uuid).upper()
        try:
            cancel_command(tenant=self.tenant, device_id=self.row.uuid, command_uuid=row.uuid, actor=ACTOR)
        except CommandRefused:
            return
        assert not self.known[uuid].deliveries
        self.known[uuid].ended_by_server = True

    @rule(hours=st.sampled_from([0.02, 1, 30, 24 * 15]))
    def wait(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    # --- What the device does -----------------------------------------------------------------------------------------

    @rule(crash=crashes, lost=st.booleans())
    def idle(self, crash: int | None, lost: bool) -> None:
        if not self.enrolled:
            return
        self.refused, self.here = set(), None
        body = plistlib.dumps({"UDID": self.device.udid, "Status": "Idle"})
        self.exchange(body, crash=crash, lost=lost)

    @rule(status=st.sampled_from(ANSWERS), crash=crashes, lost=st.booleans(), unread=st.booleans())
    def answer(self, status: str, crash: int | None, lost: bool, unread: bool) -> None:
        """Answer the command that the device has; `unread`: the connection is cut before the server reads it."""
        if self.here is None or not self.enrolled:
            return
        delivery, self.here = self.here, None
        uuid = delivery["CommandUUID"]
        message = {"UDID": self.device.udid, "Status": status, "CommandUUID": uuid}
        if status == "Error":
            message["ErrorChain"] = [{"ErrorCode": 5, "ErrorDomain": "x", "LocalizedDescription": "No."}]
        if unread:
            return
        self.last = plistlib.dumps(message)
        taken = self.exchange(self.last, crash=crash, lost=lost, refuses=uuid if status == "NotNow" else "")
        if taken and status != "NotNow" and uuid in self.known:
            assert self.stored(uuid).status not in UNFINISHED
            self.known[uuid].answered = True

    @rule(crash=crashes)
    def answer_again(self, crash: int | None) -> None:
        """The device repeats its last answer: it did not hear whether the server had it."""
        if not self.last or not self.enrolled:
            return
        ended = self.row.commands.exclude(status__in=UNFINISHED).values_list("pk", "status")
        before = dict(ended)
        uuid, status = (plistlib.loads(self.last)[key] for key in ("CommandUUID", "Status"))
        taken = self.exchange(self.last, crash=crash, lost=False, refuses=uuid if status == "NotNow" else "")
        assert before.items() <= dict(ended.all()).items()
        if taken and status != "NotNow" and uuid in self.known:
            self.known[uuid].answered = True

    @rule(how=st.sampled_from(["wiped", "erased", "left"]))
    def come_anew(self, how: str) -> None:
        """The device is enrolled again; before, it left, was erased by a command, or by a person in recovery mode."""
        if how == "erased" and self.enrolled:
            with suppress(CommandRefused):
                send(self.row, "erase_device")
            self.now += timedelta(seconds=1)
            self.drain()
        elif how == "left" and self.enrolled:
            self.device.unenroll()
        for known in self.known.values():
            known.ended_by_server = True
        self.device.enroll(enrollment_profile(self.blueprint))
        assert self.tenant.devices.count() == 1
        self.here, self.last, self.refused = None, b"", set()

    @rule()
    def drain(self) -> None:
        """A session without disturbances ends, and leaves nothing that the device would take."""
        if not self.enrolled:
            return
        self.now += MOMENT
        fresh = {str(uuid).upper() for uuid in self.row.commands.filter(attempts=0).values_list("uuid", flat=True)}
        self.here = None
        given = []
        answer = self.device.say("Idle")
        for _ in range(60):
            assert answer.status == 200
            if not answer.body:
                break
            delivery = plistlib.loads(answer.body)
            self.note(delivery)
            given.append(delivery["CommandUUID"])
            if delivery["Command"]["RequestType"] == "EraseDevice":
                self.device.respond(delivery)
                return
            uuid = delivery["CommandUUID"]
            answer = self.device.say("Acknowledged", CommandUUID=uuid)
            if uuid in self.known:
                self.known[uuid].answered = True
        else:
            raise AssertionError("The session has no end.")
        assert len(given) == len(set(given))
        assert not self.row.commands.unfinished().exists()
        assert self.enrollment.push_due_at is None
        ranks = [self.known[uuid].rank for uuid in given if uuid in fresh]
        assert ranks == sorted(ranks)

    # --- One exchange -------------------------------------------------------------------------------------------------

    def exchange(self, body: bytes, *, crash: int | None, lost: bool, refuses: str = "") -> bool:
        """Send a message, and note what comes. Returns whether the server took it."""
        before = self.queue() if crash is not None else None
        self.now += MOMENT
        try:
            with transaction.atomic(), crashing(crash):
                answer = self.device.put(self.url, CONNECT, body)
        except Crash:
            assert self.queue() == before
            self.here = None
            return False
        assert answer.status == 200
        if refuses:
            self.refused.add(refuses)
        self.here = None
        if answer.body:
            delivery = plistlib.loads(answer.body)
            uuid = delivery["CommandUUID"]
            assert uuid not in self.refused, "NotNow loops"
            self.check_order(uuid)
            self.note(delivery)
            self.here = None if lost else delivery
        return True

    def note(self, delivery: dict[str, Any]) -> None:
        uuid, kind = delivery["CommandUUID"], delivery["Command"]["RequestType"]
        row = self.stored(uuid)
        assert row.status == Status.RUNNING
        if uuid not in self.known:  # one that the server sends by itself
            self.known[uuid] = Known(uuid, row.command, rank=row.rank)
        known = self.known[uuid]
        assert not known.answered, "delivered after its answer"
        assert not known.ended_by_server
        known.deliveries += 1
        known.contents.add(kind)
        assert len(known.contents) == 1
        if row.command in {"restart_device", "shutdown_device", "play_lost_mode_sound"}:
            limit = 2
            # Each answer, also NotNow, begins the count anew.
            assert row.unanswered <= limit

    def check_order(self, uuid: str) -> None:
        """No command was passed over for one of a later rank, unless it was refused or is never answered."""
        given = self.stored(uuid)
        if given.status == Status.NOT_NOW or given.unanswered > 3:
            return
        if given.attempts == 1:
            waiting = self.row.commands.filter(status=Status.PENDING).values_list("rank", "pk")
            assert all(place > (given.rank, given.pk) for place in waiting)

    # --- What holds at every moment -----------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        rows = {
            str(uuid).upper(): (status, command, subject, errors)
            for uuid, status, command, subject, errors in self.row.commands.values_list(
                "uuid", "status", "command", "subject", "error_chain"
            )
        }
        for uuid, known in self.known.items():
            if uuid not in rows:
                assert not self.people_sent(known), "a command is gone"
                continue
            status, command, _, errors = rows[uuid]
            if known.answered or known.ended_by_server:
                assert status not in UNFINISHED
            elif status not in UNFINISHED:
                # Ended without an answer: only what the device never answers, or cannot be given.
                blank = command == "send_blankpush"
                assert blank or status == Status.FAILED
                assert blank or errors[0]["domain"] == "iru"
                known.ended_by_server = True
        waiting = [(command, subject) for status, command, subject, _ in rows.values() if status in UNFINISHED]
        assert len(waiting) == len(set(waiting)), "a command waits twice"
        if waiting and self.enrolled:
            due = self.enrollment.push_due_at
            assert due is not None
            assert due <= self.now + timedelta(hours=24)

    def people_sent(self, known: Known) -> bool:
        return known.command in SENT

    def stored(self, uuid: str) -> DeviceCommand:
        return self.row.commands.get(uuid=uuid)

    def queue(self) -> list[tuple[Any, ...]]:
        return list(self.row.commands.order_by("pk").values_list("pk", "status", "attempts", "unanswered"))

    @property
    def enrolled(self) -> bool:
        return self.device.enrolled

    @property
    def enrollment(self) -> Enrollment:
        return self.tenant.enrollments.get(state=Enrollment.State.ENROLLED)

    @property
    def url(self) -> str:
        return f"http://{self.tenant.mdm_host}/connect"


def test_commands_are_delivered_in_any_order_of_events(
    mdm: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    device = new_device("iphone")
    device.connect()
    Delivery.tenant, Delivery.blueprint, Delivery.enrolled_device = mdm, blueprint, device
    run_state_machine_as_test(
        Delivery,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A failure is told as it was found: making it shorter takes longer than the test.
            phases=[Phase.generate] if EXAMPLES < 100 else [Phase.generate, Phase.shrink],
            derandomize=EXAMPLES < 100,
            database=None,
        ),
    )
