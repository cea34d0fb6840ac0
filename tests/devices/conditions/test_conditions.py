from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.models import Tenant
from devices.conditions.attributes import ATTRIBUTES
from devices.conditions.conditions import Condition, hold, tag_names
from devices.fleet.tags import delete_tag
from tests.devices.conditions.fleet import MEANINGS, conditions, fleet, means
from tests.devices.sending import ACTOR
from tests.factories.devices import BlueprintFactory, DeviceFactory, TagFactory

pytestmark = pytest.mark.django_db


def test_a_condition_holds_for_the_devices_that_it_says(tenant: Tenant) -> None:
    devices = fleet(BlueprintFactory.create(tenant=tenant))
    assert MEANINGS.keys() == ATTRIBUTES.keys()

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        condition = data.draw(conditions(list(tenant.tags.order_by("pk"))))
        found = set(tenant.devices.filter(condition.devices()))
        assert found == {device for device in devices if means(condition, device)}, condition

    check()


def test_of_two_opposites_exactly_one_holds(tenant: Tenant) -> None:
    devices = {device.pk for device in fleet(BlueprintFactory.create(tenant=tenant))}
    for attribute in ATTRIBUTES.values():
        values = {"family": ["Mac"], "os_version": ["15"], "tag": [str(tenant.tags.first().uuid)]}  # type: ignore[union-attr]
        given = tuple(values.get(attribute.id, ["a"]))
        holding = [
            set(
                tenant.devices.filter(Condition(attribute.id, operator.id, given).devices()).values_list(
                    "pk", flat=True
                )
            )
            for operator in attribute.operators
        ]
        assert holding[0] | holding[1] == devices, attribute.id
        assert not holding[0] & holding[1], attribute.id


def test_all_conditions_of_a_branch_must_hold(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant, os_version="15.1")
    old = DeviceFactory.create(tenant=tenant, os_version="14.0", blueprint=mac.blueprint)
    family, version = Condition("family", "is", ("Mac",)), Condition("os_version", "at_least", ("15",))
    assert set(tenant.devices.filter(hold([]))) == {mac, old}
    assert set(tenant.devices.filter(hold([family.stored]))) == {mac, old}
    assert set(tenant.devices.filter(hold([family.stored, version.stored]))) == {mac}


@pytest.mark.parametrize("attribute", ["", "shoe_size", "family"])
def test_a_condition_that_is_not_known_holds_for_no_device(tenant: Tenant, attribute: str) -> None:
    DeviceFactory.create(tenant=tenant)
    condition = Condition(attribute, "sounds_like", ("Mac",))
    assert not tenant.devices.filter(condition.devices()).exists()
    assert "holds for no device" in condition.words({})


def test_a_deleted_tag_is_on_no_device(tenant: Tenant) -> None:
    tag, kept = TagFactory.create_batch(2, tenant=tenant)
    device = DeviceFactory.create(tenant=tenant, tags=[tag])
    has, has_not = (Condition("tag", operator, (str(tag.uuid), str(kept.uuid))) for operator in ("has", "has_not"))
    assert tenant.devices.filter(has.devices()).get() == device
    delete_tag(tenant=tenant, tag_id=tag.uuid, actor=ACTOR)
    assert not tenant.devices.filter(has.devices()).exists()
    assert tenant.devices.filter(has_not.devices()).get() == device
    names = tag_names(tenant, [has])
    assert has.words(names) == f"Tag is one of a deleted tag (no device has it), “{kept.name}”"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition("family", "is", ("Mac",)), "Device family is Mac"),
        (Condition("family", "is_not", ("iPad", "AppleTV")), "Device family is none of iPad, Apple TV"),
        (Condition("os_version", "at_least", ("15.2",)), "OS version is at least 15.2"),
        (Condition("os_version", "earlier", ("15.2",)), "OS version is not known or earlier than 15.2"),
        (Condition("department", "is", ("Sales",)), "Department of the user is “Sales”"),
        (Condition("assigned_user", "absent"), "Assigned user is absent"),
        (Condition("ade", "used"), "Automated Device Enrollment was used"),
    ],
)
def test_words(condition: Condition, words: str) -> None:
    assert condition.words({}) == words


def test_words_name_so_many_values_as_there_is_room_for() -> None:
    condition = Condition("serial_number", "is", ("A", "B", "C"))
    assert condition.words({}, 2) == "Serial number is one of “A”, “B” and 1 more"
    assert condition.words({}, 3) == "Serial number is one of “A”, “B”, “C”"


@pytest.mark.parametrize(
    ("attribute", "operator", "values", "field"),
    [
        ("shoe_size", "is", ["44"], "attribute"),
        ("family", "at_least", ["Mac"], "operator"),
        ("family", "is", [], "values"),
        ("family", "is", ["Toaster"], "values"),
        ("os_version", "at_least", ["15", "16"], "values"),
        ("os_version", "at_least", ["fifteen"], "values"),
        ("os_version", "at_least", ["15."], "values"),
        ("department", "is", [" "], "values"),
        ("department", "is", ["x" * 256], "values"),
        ("department", "is", ["null \0"], "values"),
        ("serial_number", "is", [str(n) for n in range(201)], "values"),
        ("tag", "has", ["Kiosk"], "values"),
        ("tag", "has", ["00000000-0000-4000-8000-000000000000"], "values"),
        ("assigned_user", "present", ["yes"], "values"),
    ],
)
def test_refused(tenant: Tenant, attribute: str, operator: str, values: list[str], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Condition.checked(tenant=tenant, attribute=attribute, operator=operator, values=values)
    assert list(refused.value.message_dict) == [field]


def test_the_tags_of_another_tenant_are_refused(tenant: Tenant, other_tenant: Tenant) -> None:
    own, foreign = TagFactory.create(tenant=tenant), TagFactory.create(tenant=other_tenant)
    given: dict[str, Any] = {"tenant": tenant, "attribute": "tag", "operator": "has"}
    assert Condition.checked(**given, values=[own.uuid.hex]).values == (str(own.uuid),)
    with pytest.raises(ValidationError):
        Condition.checked(**given, values=[str(own.uuid), str(foreign.uuid)])
