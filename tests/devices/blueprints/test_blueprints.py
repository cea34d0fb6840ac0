import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.audit.events import Actor
from access.models import Tenant
from devices.blueprints.blueprints import create_blueprint, delete_blueprint, update_blueprint
from devices.enrollment import codes as enrollment_codes
from devices.fleet import records
from devices.models import Assignment, Blueprint, Device
from tests.factories.devices import (
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    DeviceFactory,
    LibraryItemFactory,
)

ACTOR = Actor.command("test")


def stale(tenant: Tenant) -> list[tuple[int, tuple[str, ...]]]:
    return list(records.outdated(tenant.devices.values_list("pk", flat=True)))


def test_a_new_name_is_in_every_record_at_a_price_that_does_not_grow(tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Old")
    elsewhere = DeviceFactory.create(tenant=tenant)

    def rename(name: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            update_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR, name=name)
        return len(queries)

    DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    rename("First")  # the first change of a tenant also begins its audit trail
    few = rename("New")
    DeviceFactory.create_batch(9, tenant=tenant, blueprint=blueprint)
    assert rename("Newest") == few
    assert Device.objects.filter(record_json__contains='"Newest"').count() == 10
    assert not stale(tenant)
    assert elsewhere.blueprint.name in Device.objects.get(pk=elsewhere.pk).record_json


def test_an_invalid_name_changes_nothing(tenant: Tenant) -> None:
    BlueprintFactory.create(tenant=tenant, name="Taken")
    device = DeviceFactory.create(tenant=tenant)
    with pytest.raises(ValidationError):
        update_blueprint(tenant=tenant, blueprint_id=device.blueprint.uuid, actor=ACTOR, name="Taken")
    assert not stale(tenant)
    assert not tenant.audit_events.exists()


def test_a_save_without_changes_writes_no_event(tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Same")
    update_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR, name="Same", color=blueprint.color)
    assert not tenant.audit_events.exists()


def test_a_copy_has_the_library_of_its_source(tenant: Tenant) -> None:
    node = AssignmentNodeFactory.create(blueprint__tenant=tenant, name="Macs")
    is_mac = {"attribute": "family", "operator": "is", "values": ["Mac"]}
    other = AssignmentNodeFactory.create(blueprint=node.blueprint, name="Others", conditions=[is_mac])
    item = LibraryItemFactory.create(tenant=tenant)
    for place in (node, other):
        AssignmentFactory.create(blueprint=node.blueprint, node=place, library_item=item)
    copy = create_blueprint(tenant=tenant, name="Copy", actor=ACTOR, source=node.blueprint)
    assert copy.type == Blueprint.Type.MAP
    assigned = copy.assignments.order_by("pk").values_list("node__name", "node__blueprint", "library_item")
    assert list(assigned) == [("Macs", copy.pk, item.pk), ("Others", copy.pk, item.pk)]
    branches = copy.nodes.order_by("position").values_list("name", "position", "is_default", "conditions")
    assert list(branches) == [("Macs", 0, True, []), ("Others", 1, False, [is_mac])]
    assert not {each.uuid for each in copy.nodes.all()} & {node.uuid, other.uuid}
    assert node.blueprint.assignments.count() == 2

    classic = AssignmentFactory.create(blueprint__tenant=tenant).blueprint
    copy = create_blueprint(tenant=tenant, name="Second copy", actor=ACTOR, source=classic)
    assert copy.assignments.get().node is None


def test_deleting_a_blueprint_keeps_the_data_of_its_devices(tenant: Tenant) -> None:
    node = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    AssignmentFactory.create(blueprint=node.blueprint, node=node)
    device = DeviceFactory.create(tenant=tenant, blueprint=node.blueprint)
    delete_blueprint(tenant=tenant, blueprint_id=node.blueprint.uuid, actor=ACTOR)

    stored = tenant.devices.select_related("blueprint").get(pk=device.pk)
    assert (stored.is_removed, stored.mdm_enabled) == (True, False)
    assert stored.blueprint.deleted_at
    assert tenant.devices.get(pk=device.pk).blueprint == node.blueprint  # fetched by itself too
    assert not stale(tenant)
    assert not tenant.blueprints.exists()
    assert not Assignment.objects.filter(blueprint=node.blueprint).exists()
    event = tenant.audit_events.get()
    assert (event.action, event.metadata, event.new_state) == ("delete", {"devices": 1}, None)
    with pytest.raises(Blueprint.DoesNotExist):
        delete_blueprint(tenant=tenant, blueprint_id=node.blueprint.uuid, actor=ACTOR)


def test_the_id_of_a_deleted_blueprint_is_free_for_a_copy_of_the_fleet(tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant)
    delete_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR)
    again = BlueprintFactory.create(tenant=tenant, uuid=blueprint.uuid)
    assert tenant.blueprints.get(uuid=blueprint.uuid) == again


def test_a_made_code_leads_nowhere_else(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    BlueprintFactory.create(tenant=tenant, enrollment_code="000001")
    drawn = iter([1, 1, 7])
    monkeypatch.setattr("secrets.randbelow", lambda _: next(drawn))
    assert create_blueprint(tenant=tenant, name="New", actor=ACTOR).enrollment_code == "000007"
    monkeypatch.setattr("secrets.randbelow", lambda _: 7)
    with pytest.raises(RuntimeError):
        enrollment_codes.generate(Blueprint(tenant=tenant))


def test_activating_a_code_that_there_is_not_makes_one(tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, enrollment_code="", enrollment_code_active=False)
    update_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code_active=True)
    blueprint.refresh_from_db()
    assert len(blueprint.enrollment_code) == enrollment_codes.DIGITS
