"""The version of the system that a Blueprint requires."""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from access.models import Tenant
from devices.blueprints.blueprints import create_blueprint, delete_blueprint
from devices.blueprints.required_versions import Family, require_no_version, require_version
from devices.models import Blueprint, Enrollment, RequiredVersion
from tests.devices.sending import ACTOR
from tests.factories.devices import BlueprintFactory, DeviceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant)


def require(blueprint: Blueprint, version: str = "26.1", **more: Any) -> RequiredVersion:
    values: dict[str, Any] = {
        "family": Family.MAC,
        "date": (timezone.now() + timedelta(days=9)).date(),
        "time": time(18),
    } | more
    return require_version(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, version=version, actor=ACTOR, **values)


def enrolled(blueprint: Blueprint, **more: Any) -> Enrollment:
    device = DeviceFactory.create(tenant=blueprint.tenant, blueprint=blueprint)
    values = {"state": "enrolled", "created_at": timezone.now(), "declared": "planned"} | more
    return Enrollment.objects.create(tenant=blueprint.tenant, device=device, udid=f"UDID-{device.pk}", **values)


def test_it_is_kept_for_each_family_with_an_audit_event(blueprint: Blueprint, tenant: Tenant) -> None:
    day = (timezone.now() + timedelta(days=9)).date()
    require(blueprint)
    require(blueprint, "18.7.2", family=Family.MOBILE, time=time(9, 30))
    require(blueprint, "26.2")
    rows = blueprint.required_versions.order_by("family")
    assert [(row.family, row.version, row.date, row.time) for row in rows] == [
        ("mac", "26.2", day, time(18)),
        ("mobile", "18.7.2", day, time(9, 30)),
    ]
    events = tenant.audit_events.order_by("pk")
    assert [(event.summary, event.changes) for event in events] == [
        ("Required macOS version set", {"required_macos": {"old": "", "new": f"26.1 by {day} 18:00"}}),
        ("Required iOS and iPadOS version set", {"required_ios": {"old": "", "new": f"18.7.2 by {day} 09:30"}}),
        (
            "Required macOS version set",
            {"required_macos": {"old": f"26.1 by {day} 18:00", "new": f"26.2 by {day} 18:00"}},
        ),
    ]
    require(blueprint, "26.2")
    assert tenant.audit_events.count() == 3, "the same again is no change"


def test_it_is_taken_back(blueprint: Blueprint, tenant: Tenant) -> None:
    whose: dict[str, Any] = {"tenant": tenant, "blueprint_id": blueprint.uuid, "actor": ACTOR}
    require_no_version(**whose, family=Family.MAC)
    assert not tenant.audit_events.exists()
    require(blueprint)
    require(blueprint, "26.1", family=Family.MOBILE)
    require_no_version(**whose, family=Family.MAC)
    assert blueprint.required_versions.get().family == "mobile"
    assert tenant.audit_events.latest("pk").summary == "Required macOS version removed"


@pytest.mark.parametrize(
    ("family", "version"),
    [
        (Family.MAC, "13.9"),
        (Family.MOBILE, "16.7"),
        *((Family.MAC, text) for text in ("", "latest", "26.", "26.1.2.3", "26.1 ", "٢٦", "macOS 26", "26,1", "2600")),
    ],
)
def test_a_version_that_no_device_would_take_so(family: Family, version: str, blueprint: Blueprint) -> None:
    with pytest.raises(ValidationError) as error:
        require(blueprint, version, family=family)
    assert error.value.message_dict.keys() == {"version"}
    assert not RequiredVersion.objects.exists()


def test_a_deadline_that_is_over_everywhere(blueprint: Blueprint) -> None:
    def at(moment: datetime) -> None:
        require(blueprint, date=moment.date(), time=moment.time())

    now = timezone.now().replace(tzinfo=None)
    with pytest.raises(ValidationError) as error:
        at(now - timedelta(hours=12, minutes=1))
    assert error.value.message_dict.keys() == {"date"}
    with pytest.raises(ValidationError):
        require(blueprint, date=date(1, 1, 1))
    at(now - timedelta(hours=11, minutes=59))  # on Baker Island it is still to come


def test_its_devices_are_planned_anew_and_no_others(blueprint: Blueprint, tenant: Tenant, other_tenant: Tenant) -> None:
    here = enrolled(blueprint)
    others = [
        enrolled(blueprint, state="out"),
        enrolled(BlueprintFactory.create(tenant=tenant)),
        enrolled(BlueprintFactory.create(tenant=other_tenant)),
    ]
    require(blueprint)
    here.refresh_from_db()
    assert here.declared == ""
    assert here.push_due_at is not None
    for each in others:
        each.refresh_from_db()
        assert (each.declared, each.push_due_at) == ("planned", None)


def test_the_blueprint_of_another_tenant(blueprint: Blueprint, other_tenant: Tenant) -> None:
    whose: dict[str, Any] = {"tenant": other_tenant, "blueprint_id": blueprint.uuid, "actor": ACTOR}
    with pytest.raises(Blueprint.DoesNotExist):
        require_version(**whose, family=Family.MAC, version="26.1", date=date(2030, 1, 1), time=time(1))
    with pytest.raises(Blueprint.DoesNotExist):
        require_no_version(**whose, family=Family.MAC)


def test_a_copy_requires_the_same_and_a_deleted_blueprint_nothing(blueprint: Blueprint, tenant: Tenant) -> None:
    row = require(blueprint)
    copy = create_blueprint(tenant=tenant, name="Copy", actor=ACTOR, source=blueprint)
    copied = copy.required_versions.get()
    assert (copied.family, copied.version, copied.date, copied.time) == ("mac", row.version, row.date, row.time)
    device = enrolled(blueprint)
    delete_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR)
    assert list(RequiredVersion.objects.values_list("blueprint", flat=True)) == [copy.pk]
    device.refresh_from_db()
    assert device.declared == ""
