"""A bulk action: one task, a result for each device, and no device changed twice, whatever happens to the worker."""

import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.utils import timezone

from access.models import Administrator, AuditEvent, Role, Tenant
from access.people.administrators import delete_administrator, suspend_administrator
from access.tasks.worker import Stopped
from devices.bulk import worker
from devices.bulk.actions import SelectionGrew, stop_bulk_action
from devices.bulk.bodies import body_of, rewrap
from devices.bulk.changes import AddTag, AssignBlueprint, RemoveTag, SendCommand
from devices.bulk.item_changes import AssignItem, RemoveItem
from devices.bulk.worker import GROUP, run_bulk_action, run_group, tend_bulk_actions
from devices.fleet.devices import delete_device
from devices.fleet.secrets import reveal_command_secret
from devices.models import BulkAction, BulkResult, Device, DeviceCommand, Platform
from tests import processes
from tests.devices.bulk.starting import command, commands_of, fleet, outcomes, sent_events, start
from tests.devices.sending import ACTOR, send
from tests.factories.access import AdministratorFactory
from tests.factories.devices import (
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    DeviceFactory,
    LibraryItemFactory,
    TagFactory,
)
from tests.types import RunTasks

pytestmark = pytest.mark.django_db
DONE, SKIPPED, FAILED = ("done", ""), "skipped", "failed"


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    found: Administrator = AdministratorFactory.create(tenant=tenant, role=Role.HELP_DESK)
    return found


def test_a_command_is_sent_as_to_a_single_device(person: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
    one, waiting, phone = (DeviceFactory.create(tenant=tenant, name=name) for name in ("one", "waiting", "phone"))
    Device.objects.filter(pk=phone.pk).update(platform=Platform.APPLE_TV)
    send(waiting, "lock_device")
    action = start(person, command(person, "lock_device", Message="Call us"))
    assert (action.total, action.done, action.ended_at) == (3, 0, None)
    run_tasks()
    action.refresh_from_db()
    assert outcomes(action) == {
        "one": DONE,
        "waiting": (SKIPPED, "This device is already locked."),
        "phone": (SKIPPED, "Apple TV devices do not take this command."),
    }
    assert (action.done, action.skipped, action.failed, action.queued) == (1, 2, 0, 0)
    assert action.ended_at
    row = one.commands.get()
    assert (row.payload, row.requested_by) == ({"Message": "Call us"}, person.name)
    started, sent = tenant.audit_events.order_by("sequence").filter(actor_id=str(person.pk))
    assert (started.summary, started.target_type) == ("Bulk action started", "bulk_action")
    assert started.metadata == {
        "kind": "command",
        "command": "lock_device",
        "selection": "Selected rows",
        "total": 3,
    }
    assert (sent.summary, sent.target_id, sent.actor_name) == (
        "Command sent: Lock",
        str(one.uuid),
        person.name,
    )


def test_only_devices_in_lost_mode_take_its_commands(
    person: Administrator, tenant: Tenant, run_tasks: RunTasks
) -> None:
    for name, status in (("found", ""), ("lost", "enabled")):
        DeviceFactory.create(tenant=tenant, name=name, platform=Platform.IPHONE, lost_mode_status=status)
    change = command(person, "play_lost_mode_sound")
    assert [skip for skip in change.expected_skips(tenant.devices.all()) if skip.number] == [(1, "Not in Lost Mode.")]
    action = start(person, change)
    run_tasks()
    assert outcomes(action)["found"] == (SKIPPED, "Not in Lost Mode.")
    assert tenant.device_commands.get().device.name == "lost"


def test_the_pin_of_a_command_is_encrypted_and_does_not_stay(
    person: Administrator, tenant: Tenant, run_tasks: RunTasks, settings: Any
) -> None:
    (mac,) = fleet(tenant, 1)
    action = start(person, command(person, "erase_device", PIN="314159"))
    stored: Any = BulkAction.objects.values().get(pk=action.pk)
    assert b"314159" not in bytes(stored["ciphertext"])
    assert "314159" not in str({name: value for name, value in stored.items() if name != "ciphertext"})
    settings.IRU_SECRET_KEYS = [f"4:{'4' * 64}", *settings.IRU_SECRET_KEYS]
    assert (rewrap(limit=10), rewrap(limit=10)) == (1, 0)
    settings.IRU_SECRET_KEYS = settings.IRU_SECRET_KEYS[:1]
    run_tasks()
    action.refresh_from_db()
    assert (action.ciphertext, body_of(action)) == (None, None)
    assert reveal_command_secret(device=mac, command_uuid=mac.commands.get().uuid) == "314159"


def test_a_body_that_one_device_does_not_take_fails_there_alone(
    person: Administrator, tenant: Tenant, run_tasks: RunTasks
) -> None:
    DeviceFactory.create(tenant=tenant, name="Mac")
    DeviceFactory.create(tenant=tenant, name="iPhone", platform=Platform.IPHONE)
    action = start(person, command(person, "erase_device", PIN="12"))
    run_tasks()
    assert outcomes(action) == {"Mac": (FAILED, "Enter six digits."), "iPhone": DONE}


def test_tags_are_added_and_removed(person: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
    tag, other = TagFactory.create(tenant=tenant, name="Loaner"), TagFactory.create(tenant=tenant, name="Kiosk")
    for name, tags in (("with", [tag, other]), ("without", [other])):
        DeviceFactory.create(tenant=tenant, name=name, tags=tags)
    action = start(person, AddTag(tenant, tag))
    run_tasks()
    assert outcomes(action) == {"with": (SKIPPED, "Already has this tag."), "without": DONE}
    assert set(tenant.devices.filter(tags=tag).values_list("name", flat=True)) == {"with", "without"}
    action = start(person, RemoveTag(tenant, tag), tenant.devices.filter(name="with"))
    run_tasks()
    assert outcomes(action) == {"with": DONE}
    names = {device.name: [tag.name for tag in device.tags.order_by("name")] for device in tenant.devices.all()}
    assert names == {"with": ["Kiosk"], "without": ["Kiosk", "Loaner"]}
    assert '"Loaner"' in tenant.devices.get(name="without").record_json  # the prepared record is updated too
    assert tenant.audit_events.filter(summary="Device updated", actor_id=str(person.pk)).count() == 2


def test_a_blueprint_is_assigned(person: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Kiosks")
    DeviceFactory.create(tenant=tenant, name="there", blueprint=blueprint)
    DeviceFactory.create(tenant=tenant, name="elsewhere")
    action = start(person, AssignBlueprint(tenant, blueprint))
    run_tasks()
    assert outcomes(action) == {"there": (SKIPPED, "Already in this Blueprint."), "elsewhere": DONE}
    assert blueprint.devices.count() == 2


def test_a_deleted_tag_ends_the_action(person: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
    tag = TagFactory.create(tenant=tenant)
    fleet(tenant, 2)
    action = start(person, AddTag(tenant, tag))
    tag.delete()
    run_tasks()
    action.refresh_from_db()
    assert (action.failed, action.total) == (2, 2)
    assert set(outcomes(action).values()) == {
        (FAILED, "The tag, Blueprint or command does not exist any more."),
    }


def test_items_are_assigned_and_removed(tenant: Tenant, run_tasks: RunTasks) -> None:
    person = AdministratorFactory.create(tenant=tenant, role=Role.STANDARD)
    node = AssignmentNodeFactory.create(blueprint__tenant=tenant, blueprint__type="map")
    AssignmentNodeFactory.create(blueprint=node.blueprint)
    here, new = (LibraryItemFactory.create(tenant=tenant, name=name) for name in ("here", "new"))
    AssignmentFactory.create(blueprint=node.blueprint, node=node, library_item=here)
    action = start(person, AssignItem(tenant, node.blueprint, node), tenant.library_items.order_by("name"))
    run_tasks()
    assert outcomes(action) == {"here": (SKIPPED, "Already on this Blueprint."), "new": DONE}
    items = tenant.library_items.filter(pk=new.pk)
    action = start(person, RemoveItem(tenant, node.blueprint, node), items)
    run_tasks()
    assert outcomes(action) == {"new": DONE}
    assert [row.library_item for row in node.assignments.all()] == [here]
    action = start(person, RemoveItem(tenant, node.blueprint, None), items)
    run_tasks()
    assert outcomes(action) == {"new": (SKIPPED, "Not on this Blueprint.")}


def test_what_is_selected_is_read_when_it_is_confirmed(
    person: Administrator, tenant: Tenant, run_tasks: RunTasks
) -> None:
    first, second = fleet(tenant, 2)
    action = start(person, command(person), tenant.devices.filter(name__startswith="Mac").order_by("-name"))
    DeviceFactory.create(tenant=tenant, name="Mac, later")
    Device.objects.filter(pk=first.pk).update(name="Renamed")
    delete_device(tenant=tenant, device_id=second.uuid, actor=ACTOR)
    run_tasks()
    assert [(row.name, row.status, row.reason) for row in action.results.order_by("pk")] == [
        ("Mac 001", "skipped", "It was deleted."),
        ("Mac 000", "done", ""),
    ]
    assert tenant.device_commands.get().device == first


def test_no_more_are_changed_than_the_person_was_shown(person: Administrator, tenant: Tenant) -> None:
    events = tenant.audit_events.count()
    with pytest.raises(ValidationError, match="Nothing is selected"):
        start(person, command(person))
    fleet(tenant, 2)
    with pytest.raises(SelectionGrew, match="More match now: 2"):
        start(person, command(person), at_most=1)
    assert not tenant.bulk_actions.exists()
    assert tenant.audit_events.count() == events


def test_a_form_that_is_sent_twice_starts_one_action(
    person: Administrator, tenant: Tenant, run_tasks: RunTasks
) -> None:
    fleet(tenant, 1)
    id = uuid4()
    assert start(person, command(person), id=id) == start(person, command(person), id=id)
    assert (run_tasks(), tenant.bulk_actions.count()) == (1, 1)


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int, error: BaseException) -> None:
    """Make the change of a device raise the error once, after `after` devices were changed."""
    apply, countdown = SendCommand.apply, iter(range(after))

    def interrupted(*arguments: Any) -> None:
        if next(countdown, None) is None:
            monkeypatch.setattr(SendCommand, "apply", apply)
            raise error
        apply(*arguments)

    monkeypatch.setattr(SendCommand, "apply", interrupted)


@pytest.mark.parametrize("error", [Stopped(), OperationalError("away")])
def test_an_interrupted_task_goes_on_and_does_no_device_twice(
    error: BaseException, person: Administrator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet(tenant, count := GROUP + 5)
    action = start(person, command(person))
    interrupt(monkeypatch, GROUP + 2, error)
    with pytest.raises(type(error)):
        run_bulk_action.call(action.pk)
    action.refresh_from_db()
    assert (action.done, action.ended_at) == (GROUP, None)
    # The commands are completed in between. Otherwise a second one would be refused, because the first still waits.
    DeviceCommand.objects.update(status=DeviceCommand.Status.COMPLETED)
    for _ in range(2):
        run_bulk_action.call(action.pk)
    action.refresh_from_db()
    assert (action.done, action.total) == (count, count)
    assert set(commands_of(tenant).values()) == {1}
    assert set(sent_events(tenant).values()) == {1}


def test_an_unexpected_error_fails_one_device(
    person: Administrator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, run_tasks: RunTasks
) -> None:
    fleet(tenant, 3)
    action = start(person, command(person))
    interrupt(monkeypatch, 1, RuntimeError("a mistake"))
    run_tasks()
    assert list(outcomes(action).values()) == [DONE, (FAILED, "An error on the server; it is in the log."), DONE]


@pytest.mark.django_db(transaction=True)
def test_others_may_write_between_two_groups(
    person: Administrator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction is open during the pause, which is longer than a waiting writer of SQLite sleeps: 0.1 seconds."""
    fleet(tenant, 2 * GROUP + 1)
    action = start(person, command(person))
    pauses: list[tuple[float, bool, int]] = []

    def sleep(seconds: float) -> None:
        action.refresh_from_db()
        pauses.append((seconds, connection.in_atomic_block, action.done))

    monkeypatch.setattr("devices.bulk.worker.time.sleep", sleep)
    run_bulk_action.call(action.pk)
    assert [(open, done) for _, open, done in pauses] == [(False, GROUP), (False, 2 * GROUP)]
    assert min(seconds for seconds, _, _ in pauses) > 0.1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_loses_and_repeats_nothing(person: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
    fleet(tenant, count := 8 * GROUP)
    action = start(person, command(person))

    def done() -> int:
        return BulkAction.objects.values_list("done", flat=True).get(pk=action.pk)

    with processes.managed("worker") as process:
        while done() < GROUP:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()  # in the middle of a later group
        process.wait(10)
    assert GROUP <= done() < count, "the worker was killed too late for this test"
    DeviceCommand.objects.update(status=DeviceCommand.Status.COMPLETED)
    run_bulk_action.enqueue(action.pk)  # as the reaper does when the lease has expired
    run_tasks()
    action.refresh_from_db()
    assert (action.done, action.skipped, action.failed, action.total) == (count, 0, 0, count)
    assert set(commands_of(tenant).values()) == {1}
    assert len(commands_of(tenant)) == count
    assert set(sent_events(tenant).values()) == {1}


@pytest.mark.parametrize("loss", ["role", "suspended", "removed", "tenant"])
def test_a_person_who_loses_the_right_stops_the_rest(loss: str, person: Administrator, tenant: Tenant) -> None:
    fleet(tenant, GROUP + 3)
    action = start(person, command(person))
    assert run_group(action.pk)
    match loss:
        case "role":
            Administrator.objects.filter(pk=person.pk).update(role=Role.AUDITOR)
        case "suspended":
            Administrator.objects.filter(pk=person.pk).update(is_active=False)
        case "removed":
            suspend_administrator(tenant=tenant, person_id=person.pk, actor=ACTOR)
            delete_administrator(tenant=tenant, person_id=person.pk, actor=ACTOR)
        case "tenant":
            Tenant.objects.filter(pk=tenant.pk).update(active=False)
    assert not run_group(action.pk)
    action.refresh_from_db()
    assert (action.done, action.skipped, bool(action.ended_at)) == (GROUP, 3, True)
    rest = action.results.exclude(status="done")
    assert {(row.status, row.reason) for row in rest} == {(SKIPPED, f"{person.name} may not do this any more.")}
    assert tenant.device_commands.count() == GROUP


def test_the_right_is_confirmed_with_each_event(
    person: Administrator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the middle of a group: the trail has no event of a person after their right has ended."""
    fleet(tenant, 4)
    action = start(person, command(person))
    apply, countdown = SendCommand.apply, iter(range(2))

    def demote_after_two(*arguments: Any) -> None:
        if next(countdown, None) is None:
            Administrator.objects.filter(pk=person.pk).update(role=Role.AUDITOR)
        apply(*arguments)

    monkeypatch.setattr(SendCommand, "apply", demote_after_two)
    assert not run_group(action.pk)
    assert tenant.device_commands.count() == tenant.audit_events.filter(target_component="commands").count() == 2
    assert Counter(status for status, _ in outcomes(action).values()) == {"done": 2, "skipped": 2}


def test_a_person_stops_the_rest(person: Administrator, tenant: Tenant) -> None:
    fleet(tenant, GROUP + 3)
    action = start(person, command(person))
    run_group(action.pk)
    for _ in range(2):
        stop_bulk_action(tenant=tenant, id=action.uuid, actor=ACTOR)
    assert not run_group(action.pk)
    action.refresh_from_db()
    assert (action.done, action.skipped, action.queued) == (GROUP, 3, 0)
    assert action.results.filter(reason=f"Stopped by {ACTOR.name}.").count() == 3
    assert tenant.audit_events.filter(summary="Bulk action stopped").count() == 1


def test_other_tasks_have_their_turn(
    person: Administrator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, run_tasks: RunTasks
) -> None:
    monkeypatch.setattr(worker, "TURN", -1.0)
    fleet(tenant, GROUP + 1)
    action = start(person, command(person))
    assert run_tasks() == 2
    action.refresh_from_db()
    assert action.done == GROUP + 1


def test_a_lost_task_is_replaced_and_old_actions_are_deleted(
    person: Administrator, tenant: Tenant, run_tasks: RunTasks
) -> None:
    fleet(tenant, 1)
    now = timezone.now()
    old, lost = (start(person, command(person)) for _ in range(2))
    run_tasks()
    BulkAction.objects.filter(pk=old.pk).update(ended_at=now - worker.STAY - timedelta(days=1))
    BulkAction.objects.filter(pk=lost.pk).update(ended_at=None, moved_at=now - worker.SILENCE - timedelta(minutes=1))
    tend_bulk_actions.enqueue()
    assert run_tasks() == 2
    assert list(tenant.bulk_actions.all()) == [lost]
    assert BulkResult.objects.count() == 1
    lost.refresh_from_db()
    assert lost.ended_at


def test_the_counters_are_those_of_the_results(person: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
    devices = fleet(tenant, GROUP + 7)
    for device in devices[::3]:
        send(device, "erase_device")
    action = start(person, command(person, "erase_device", PIN="1"))
    run_tasks()
    action.refresh_from_db()
    counts = Counter(action.results.values_list("status", flat=True))
    assert counts == {"skipped": action.skipped, "failed": action.failed}
    assert AuditEvent.objects.filter(target_type="bulk_action").count() == 1
