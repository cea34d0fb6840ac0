"""What an answer leads to within the session of the device."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.mdm.identity import Identity
from devices.mdm.messages import Message
from devices.mdm.questions import QUESTIONS, ask_inventory
from devices.mdm.sessions import LONGEST, connect
from devices.models import Device, DeviceCertificate, DeviceCommand, Enrollment, Platform
from tests.devices.commands.internal.answering import ask, information
from tests.devices.sending import send
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


class Session:
    """The connects of one enrolled device, whose identity is proven."""

    def __init__(self, device: Device) -> None:
        self.enrollment = Enrollment.objects.create(
            tenant=device.tenant, device=device, udid="UDID-1", state="enrolled", created_at=timezone.now()
        )
        self.identity = Identity(DeviceCertificate(enrollment=self.enrollment), device.tenant, expired=False)

    def connect(self, status: str, uuid: str = "", **answer: Any) -> dict[str, Any]:
        named = {"CommandUUID": uuid} if uuid else {}
        return connect(self.identity, Message(UDID="UDID-1", Status=status, **named, **answer)) or {}


def test_the_questions_for_a_supervised_device_come_in_the_same_session(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    session = Session(mac)
    ask_inventory(mac, session.enrollment)
    asked: list[str] = []
    status, answer = "Idle", dict[str, Any]()
    uuid = ""
    while sent := session.connect(status, uuid, **answer):
        asked.append(sent["Command"]["RequestType"])
        status, uuid = "Acknowledged", sent["CommandUUID"]
        answer = information(Platform.MAC) if asked[-1] == "DeviceInformation" else {}
    assert asked[0] == "DeviceInformation"
    assert len(asked) == len(QUESTIONS) + 3 - 1  # a Mac is not asked for its managed apps
    assert {"UserList", "ActivationLockBypassCode", "DeclarativeManagement"} <= {*asked}


def test_what_follows_the_last_question_does_not_wait_for_a_push(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    session = Session(mac)
    ask(mac, "device_information")
    sent = session.connect("Idle")
    follower = session.connect("Acknowledged", sent["CommandUUID"], **information(Platform.MAC))
    assert follower["Command"]["RequestType"] == "DeclarativeManagement"
    follower = session.connect("Acknowledged", follower["CommandUUID"])
    assert follower["Command"]["RequestType"] == "UserList"


def test_a_blank_push_is_never_delivered(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    session = Session(mac)
    send(mac, "restart_device")
    sent = session.connect("Idle")
    send(mac, "send_blankpush")
    assert session.connect("Acknowledged", sent["CommandUUID"]) == {}
    assert set(mac.commands.values_list("status", flat=True)) == {3}


def test_a_command_that_is_given_up_leaves_nothing_to_be_woken_for(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    session = Session(mac)
    send(mac, "set_device_name", DeviceName="Reception")
    session.connect("Idle")
    mac.commands.update(first_delivered=timezone.now() - LONGEST - timedelta(seconds=1))
    assert session.connect("Idle") == {}
    assert mac.commands.get().status == DeviceCommand.Status.FAILED
    session.enrollment.refresh_from_db()
    assert session.enrollment.push_due_at is None
