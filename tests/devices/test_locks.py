"""Two changes at once that need the same rows: one waits for the other, and both are made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from access.audit.events import Actor
from access.models import Tenant
from devices.blueprints.blueprints import create_blueprint, update_blueprint
from devices.enrollment.routing import update_routing
from devices.fleet import records
from devices.fleet.devices import delete_device, update_device
from devices.fleet.notes import create_note, update_note
from devices.fleet.users import update_user
from devices.models import Blueprint, BlueprintRouting, Device, DeviceNote
from tests.database import repeated
from tests.factories.devices import BlueprintFactory, DeviceFactory, NoteFactory, UserFactory

pytestmark = pytest.mark.slow

ACTOR = Actor.command("test")
MOMENT = 0.3  # for the other change to begin; where it has not, the test sees less and passes


def beside(first: Callable[[Event], object], second: Callable[[], object]) -> None:
    """Run `second` in another thread once `first` sets its event. Raises what `second` raises."""
    started = Event()

    def wait() -> None:
        try:
            assert started.wait(10)
            repeated(second)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(wait)
        first(started)
        other.result()


def once_committed(first: Callable[[], object]) -> Callable[[Event], None]:
    """`first`, whose transaction is committed a moment after the other change began."""

    def run(started: Event) -> None:
        with transaction.atomic():
            first()
            started.set()
            sleep(MOMENT)

    return run


@pytest.mark.django_db(transaction=True)
def test_a_note_about_a_device_that_is_being_changed(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)

    def change(started: Event) -> None:
        with transaction.atomic():
            Device.objects.select_for_update().get(pk=device.pk)
            started.set()
            sleep(MOMENT)
            update_device(tenant=tenant, device_id=device.uuid, asset_tag="A-1", actor=ACTOR)

    beside(change, lambda: create_note(tenant=tenant, device_id=device.uuid, content="Dropped.", actor=ACTOR))

    assert device.notes.count() == 1
    assert list(tenant.audit_events.order_by("sequence").values_list("summary", flat=True)) == [
        "Device updated",
        "Note created",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_device_is_deleted_while_its_note_is_edited(tenant: Tenant) -> None:
    note = NoteFactory.create(tenant=tenant, device=DeviceFactory.create(tenant=tenant))
    device = note.device

    def edit(started: Event) -> None:
        with transaction.atomic():
            DeviceNote.objects.select_for_update().get(pk=note.pk)
            started.set()
            sleep(MOMENT)
            update_note(tenant=tenant, device_id=device.uuid, note_id=note.uuid, content="New.", actor=ACTOR)

    beside(edit, lambda: delete_device(tenant=tenant, device_id=device.uuid, actor=ACTOR))

    assert list(tenant.audit_events.order_by("sequence").values_list("summary", flat=True)) == [
        "Note edited",
        "Device deleted",
    ]


CODE = "135790"
CODE_TAKERS: dict[str, Callable[[Tenant, Blueprint], object]] = {
    "create": lambda tenant, _: create_blueprint(tenant=tenant, name="New", actor=ACTOR, enrollment_code=CODE),
    "update": lambda tenant, there: update_blueprint(
        tenant=tenant, blueprint_id=there.uuid, actor=ACTOR, enrollment_code=CODE
    ),
    "routing": lambda tenant, _: update_routing(tenant=tenant, actor=ACTOR, enrollment_code=CODE),
}


@pytest.mark.parametrize(
    ("first", "second"), [("create", "update"), ("update", "routing"), ("routing", "create"), ("routing", "update")]
)
@pytest.mark.django_db(transaction=True)
def test_of_two_callers_at_once_one_gets_the_enrollment_code(tenant: Tenant, first: str, second: str) -> None:
    there = BlueprintFactory.create(tenant=tenant)

    with pytest.raises(ValidationError, match="already in use"):
        beside(
            once_committed(lambda: CODE_TAKERS[first](tenant, there)),
            lambda: CODE_TAKERS[second](tenant, BlueprintFactory.create(tenant=tenant)),
        )

    routing = BlueprintRouting.objects.filter(tenant=tenant, enrollment_code=CODE)
    owners = [*tenant.blueprints.filter(enrollment_code=CODE), *routing]
    assert len(owners) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_callers_at_once_one_gets_the_name(tenant: Tenant) -> None:
    def create() -> Blueprint:
        return create_blueprint(tenant=tenant, name="Design", actor=ACTOR)

    with pytest.raises(ValidationError, match="already exists"):
        beside(once_committed(create), create)

    assert tenant.blueprints.filter(name="Design").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_blueprint_and_a_user_of_one_device_are_renamed_at_once(tenant: Tenant) -> None:
    """The record has both names: the second one is rendered from what the first has committed."""
    device = DeviceFactory.create(tenant=tenant, user=UserFactory.create(tenant=tenant))
    assert device.user
    user, blueprint = device.user, device.blueprint

    beside(
        once_committed(lambda: update_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, name="Ward", actor=ACTOR)),
        lambda: update_user(tenant=tenant, user_id=user.uuid, name="Aino", actor=ACTOR),
    )

    assert list(records.outdated([device.pk])) == []
    device.refresh_from_db()
    assert (device.blueprint_label, device.user_label) == ("Ward", "Aino")
