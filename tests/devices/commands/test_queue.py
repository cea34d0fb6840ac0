"""The queue: what goes in, what the device answers, and what follows."""

import io
import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Barrier

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from access.models import AuditEvent, Tenant
from devices.commands import CommandRefused
from devices.commands import queue as services
from devices.commands.queue import SentCommand, acknowledge, cancel_command, deliver, described, fail, not_now
from devices.fleet.secrets import read_secrets, reveal_command_secret
from devices.models import Device, DeviceCommand, DeviceSecret, LostMode, Platform
from devices.models.commands import DeviceCommandQuerySet
from tests.database import repeated
from tests.devices.sending import ACTOR, ERROR, send
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db

Kind = DeviceSecret.Kind
Status = DeviceCommand.Status
LOCKED = r"^This device is already locked\.$"
COMPLETED = {
    "user",
    "uuid",
    "status",
    "attempts",
    "metadata",
    "priority",
    "username",
    "is_silent",
    "error_chain",
    "last_pushed",
    "command_type",
    "profile_name",
    "profile_uuid",
    "request_type",
    "date_completed",
    "date_requested",
    "request_requires_network_tether",
}


def pin_of(device: Device) -> str | None:
    (pin,) = read_secrets(tenant=device.tenant, device_id=device.uuid, kinds=[Kind.UNLOCK_PIN], actor=ACTOR)
    return pin


@pytest.fixture
def mac(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant, name="Desk")


# --- Into the queue ---------------------------------------------------------------------------------------------------


def test_a_sent_command_waits_and_is_on_record(mac: Device) -> None:
    row = send(mac, "restart_device", NotifyUser=True).command
    row.refresh_from_db()
    assert (row.status, row.attempts, row.requested_by, row.date_completed) == (1, 0, "manage.py test", None)
    assert (row.request_type, row.payload) == ("RestartDevice", {"RebuildKernelCache": False, "NotifyUser": True})
    event = AuditEvent.objects.latest("sequence")
    assert (event.summary, event.action, event.target_type) == ("Command sent: Restart", "create", "device")
    assert (event.target_id, event.target_name, event.target_component) == (str(mac.uuid), "Desk", "commands")
    assert event.metadata == {
        "command": "restart_device",
        "uuid": str(row.uuid),
        "request_type": "RestartDevice",
        "payload": row.payload,
    }


def test_a_refused_command_changes_nothing(mac: Device) -> None:
    with pytest.raises(CommandRefused, match="Command is not allowed for current device"):
        send(mac, "clear_passcode")
    with pytest.raises(Device.DoesNotExist):
        send(Device(tenant=mac.tenant), "restart_device")
    assert not DeviceCommand.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_database_refuses_a_second_one_too(mac: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    send(mac, "restart_device")
    monkeypatch.setattr(DeviceCommandQuerySet, "unfinished", lambda self: self.none())
    with pytest.raises(CommandRefused, match="Command already running"):
        send(mac, "restart_device")
    assert mac.commands.count() == 1
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_simultaneous_locks_make_one_command_and_one_pin(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    start = Barrier(8)

    def lock() -> SentCommand | CommandRefused:
        try:
            start.wait()
            return repeated(lambda: send(mac, "lock_device"))
        except CommandRefused as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: lock(), range(8)))

    (sent,) = [answer for answer in answers if isinstance(answer, SentCommand)]
    assert {str(answer) for answer in answers if answer is not sent} == {"This device is already locked."}
    assert DeviceCommand.objects.count() == AuditEvent.objects.count() == 1
    assert pin_of(mac) == sent.pin


@pytest.mark.django_db(transaction=True)
def test_without_its_audit_event_no_command_is_sent(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    iphone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE)

    def broken(**event: object) -> None:
        raise RuntimeError("the trail cannot be written")

    monkeypatch.setattr(services, "log_event", broken)
    with pytest.raises(RuntimeError, match="the trail"):
        send(iphone, "enable_lost_mode")
    assert not DeviceCommand.objects.exists()
    assert not LostMode.objects.exists()


# --- Out of the queue without the device ------------------------------------------------------------------------------


def cancel(row: DeviceCommand) -> DeviceCommand:
    device = row.device
    return cancel_command(tenant=device.tenant, device_id=device.uuid, command_uuid=row.uuid, actor=ACTOR)


def test_a_cancelled_command_is_never_delivered(mac: Device) -> None:
    row = send(mac, "lock_device").command
    assert cancel(row).status == Status.CANCELLED
    for change in (lambda: deliver(command=row), lambda: acknowledge(command=row)):
        with pytest.raises(DeviceCommand.DoesNotExist):
            change()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.date_completed is not None) == (Status.CANCELLED, 0, True)
    assert pin_of(mac) is None
    assert reveal_command_secret(device=mac, command_uuid=row.uuid) is None
    event = AuditEvent.objects.exclude(target_component="secrets").latest("sequence")
    assert (event.summary, event.action, event.target_id) == ("Command cancelled: Lock", "delete", str(mac.uuid))
    assert event.metadata == {"command": "lock_device", "uuid": str(row.uuid), "requested_by": "manage.py test"}
    assert send(mac, "lock_device").command.status == Status.PENDING  # the queue is free again


def test_a_delivered_command_is_not_cancelled(mac: Device) -> None:
    row = deliver(command=send(mac, "restart_device").command)
    not_now(command=row)
    with pytest.raises(CommandRefused, match="has received"):
        cancel(row)
    acknowledge(command=row)
    with pytest.raises(CommandRefused, match="has ended"):
        cancel(row)
    assert AuditEvent.objects.count() == 1


def test_a_cancelled_command_is_a_failed_one_for_integrations(mac: Device) -> None:
    listed = described(cancel(send(mac, "restart_device").command))
    assert (listed["status"], listed["error_chain"][0]["domain"]) == (Status.FAILED, "iru")
    assert set(listed["error_chain"][0]) == set(ERROR)


@pytest.mark.django_db(transaction=True)
def test_during_its_cancellation_a_command_is_not_delivered(mac: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    row = send(mac, "restart_device").command
    delivered: list[Future[bool]] = []

    def take() -> bool:
        try:
            repeated(lambda: deliver(command=row))
        except DeviceCommand.DoesNotExist:
            return False
        finally:
            connection.close()
        return True

    def close_slowly(row: DeviceCommand, status: DeviceCommand.Status) -> None:
        delivered.append(pool.submit(take))
        wait(delivered, timeout=1)
        close(row, status)

    close = services._close
    monkeypatch.setattr(services, "_close", close_slowly)
    with ThreadPoolExecutor(1) as pool:
        cancel(row)
    assert [each.result() for each in delivered] == [False]
    row.refresh_from_db()
    assert (row.status, row.attempts) == (Status.CANCELLED, 0)


def test_cancelling_lost_mode_restores_the_state_before_the_request(tenant: Tenant) -> None:
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE)
    cancel(send(phone, "enable_lost_mode", Message="Call us").command)
    phone.refresh_from_db()
    assert phone.lost_mode_status == ""
    assert not LostMode.objects.exists()

    acknowledge(command=send(phone, "enable_lost_mode", Message="Call us").command)
    enabled = LostMode.objects.get()
    cancel(send(phone, "enable_lost_mode", Message="Bring it back", PhoneNumber="1").command)
    phone.refresh_from_db()
    restored = LostMode.objects.get()
    assert (phone.lost_mode_status, restored.status) == ("enabled", "enabled")
    assert (restored.message, restored.phone_number, restored.enable_status_at) == (
        "Call us",
        "",
        enabled.enable_status_at,
    )
    cancel(send(phone, "disable_lost_mode").command)
    restored.refresh_from_db()
    assert (restored.disable_status, restored.disabled_by, restored.disable_status_at) == ("", "", None)


# --- The answers of the device ----------------------------------------------------------------------------------------


def test_a_command_from_delivery_over_not_now_to_its_end(mac: Device) -> None:
    row = send(mac, "restart_device").command
    first = deliver(command=row)
    assert (first.status, first.attempts) == (Status.RUNNING, 1)
    assert first.last_pushed > row.date_requested
    assert not_now(command=row).status == Status.NOT_NOW
    with pytest.raises(CommandRefused):
        send(mac, "restart_device")
    assert deliver(command=row).attempts == 2
    done = acknowledge(command=row, metadata={"Status": "Acknowledged"})
    done.refresh_from_db()
    assert (done.status, done.metadata, done.error_chain) == (Status.COMPLETED, {"Status": "Acknowledged"}, [])

    activity = mac.activity.get()
    assert (activity.action_type, activity.blueprint) == ("mdm_command_completed", mac.blueprint)
    assert activity.created_at == done.date_completed
    assert set(activity.details) == COMPLETED
    assert activity.details["uuid"] == str(row.uuid)
    assert (activity.details["status"], activity.details["attempts"]) == (3, 2)
    assert activity.details["date_completed"].endswith("Z")
    assert send(mac, "restart_device").command.status == Status.PENDING


def test_a_failed_command_says_why(mac: Device) -> None:
    row = fail(command=send(mac, "restart_device").command, error_chain=[ERROR])
    row.refresh_from_db()
    assert (row.status, row.error_chain) == (Status.FAILED, [ERROR])
    activity = mac.activity.get()
    assert activity.action_type == "mdm_command_failed"
    assert set(activity.details) == COMPLETED
    assert activity.details["error_chain"] == [ERROR]


def test_a_finished_command_cannot_change(mac: Device) -> None:
    row = acknowledge(command=send(mac, "restart_device").command)
    for change in (
        lambda: deliver(command=row),
        lambda: not_now(command=row),
        lambda: acknowledge(command=row),
        lambda: fail(command=row, error_chain=[ERROR]),
    ):
        with pytest.raises(DeviceCommand.DoesNotExist):
            change()
    assert mac.activity.count() == 1


@pytest.mark.parametrize("platform", [Platform.MAC, Platform.WINDOWS])
def test_a_name_that_was_set_is_the_devices_name(platform: Platform, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform, name="Old")
    acknowledge(command=send(device, "set_device_name", DeviceName="New").command)
    device.refresh_from_db()
    assert device.name == "New"
    assert '"device_name":"New"' in device.record_json
    newest = device.activity.order_by("-id").first()
    assert newest
    assert (newest.action_type, newest.details) == ("name_changed", {"to": "New", "from": "Old"})
    acknowledge(command=send(device, "set_device_name", DeviceName="New").command)
    assert device.activity.filter(action_type="name_changed").count() == 1


# --- Locking and other secrets ----------------------------------------------------------------------------------------


def test_a_mac_is_locked_until_it_is_heard_of_again(mac: Device) -> None:
    sent = send(mac, "lock_device")
    with pytest.raises(CommandRefused, match=LOCKED):
        send(mac, "lock_device")
    done = acknowledge(command=sent.command)
    with pytest.raises(CommandRefused, match=LOCKED):
        send(mac, "lock_device")
    assert pin_of(mac) == sent.pin
    Device.objects.filter(pk=mac.pk).update(last_check_in=timezone.now())
    again = send(mac, "lock_device")
    assert again.command.pk != done.pk
    assert pin_of(mac) == again.pin


def test_a_lock_that_failed_has_no_pin(mac: Device) -> None:
    fail(command=send(mac, "lock_device").command, error_chain=[ERROR])
    assert pin_of(mac) is None
    assert send(mac, "lock_device").pin


@pytest.mark.parametrize("platform", [Platform.IPHONE, Platform.IPAD, Platform.ANDROID])
def test_other_platforms_are_locked_without_a_pin_and_repeatedly(platform: Platform, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform)
    sent = send(device, "lock_device")
    assert sent.pin is None
    acknowledge(command=sent.command)
    assert not DeviceSecret.objects.exists()
    assert send(device, "lock_device").command.status == Status.PENDING


@pytest.mark.parametrize("answer", ["acknowledge", "fail"])
def test_a_commands_secret_is_the_devices_until_it_answers(answer: str, tenant: Tenant) -> None:
    for platform, id, key in (
        (Platform.MAC, "erase_device", "PIN"),
        (Platform.ANDROID, "reset_work_profile_passcode", "newPassword"),
    ):
        device = DeviceFactory.create(tenant=tenant, platform=platform)
        sent = send(device, id, ACTOR, **{key: "482913"})
        assert sent.pin is None
        assert reveal_command_secret(device=device, command_uuid=sent.command.uuid) == "482913"
        if answer == "acknowledge":
            acknowledge(command=sent.command)
        else:
            fail(command=sent.command, error_chain=[ERROR])
        assert reveal_command_secret(device=device, command_uuid=sent.command.uuid) is None


def test_a_secret_is_nowhere_in_clear(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mac, pixel = DeviceFactory.create(tenant=tenant), DeviceFactory.create(tenant=tenant, platform=Platform.ANDROID)
    locked = send(mac, "lock_device")
    erased = send(mac, "erase_device", PIN="904817")
    reset = send(pixel, "reset_work_profile_passcode", newPassword="correct horse")
    for sent in (locked, erased, reset):
        deliver(command=sent.command)
    tables = io.StringIO()
    call_command("dumpdata", "access", "devices", stdout=tables)
    # The dump has these columns in base64, in which a secret would not be found.
    stored = b"".join(bytes(secret.ciphertext) for secret in DeviceSecret.objects.all())
    acknowledge(command=locked.command)
    fail(command=reset.command, error_chain=[ERROR])
    call_command("dumpdata", "access", "devices", stdout=tables)
    shown = tables.getvalue() + caplog.text + repr([locked, erased, reset])
    assert locked.pin
    assert str(locked.command.uuid) in shown
    for secret in (f'"{locked.pin}"', f"'{locked.pin}'", "904817", "correct horse"):
        assert secret not in shown
    assert stored
    for secret in (locked.pin, "904817", "correct horse"):
        assert secret.encode() not in stored
