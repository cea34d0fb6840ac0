"""Links for enrollment: what each stands for, and when it is over."""

from collections.abc import Callable

import pytest
from django.core import signing
from django.core.exceptions import ValidationError

from access.audit.events import Actor
from access.models import Tenant
from devices.blueprints.blueprints import delete_blueprint, update_blueprint
from devices.enrollment import links
from devices.enrollment.routing import update_routing
from devices.models import Blueprint, BlueprintRouting
from tests.factories.devices import BlueprintFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("tests")


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, name="Macs", enrollment_code="123456")


def link_of(blueprint: Blueprint) -> str:
    made = links.create_link(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR)
    return made.link_key


def test_a_link_leads_to_its_blueprint_and_is_made_once(blueprint: Blueprint, tenant: Tenant) -> None:
    key = link_of(blueprint)
    assert links.owner_of_key(key) == blueprint
    assert link_of(blueprint) == key
    events = tenant.audit_events.about("blueprint", blueprint.uuid)
    assert [(event.summary, event.target_component) for event in events] == [
        ("Enrollment link created", "enrollment_link")
    ]
    assert key not in str(vars(events[0]))


def test_a_replaced_link_is_over_at_once(blueprint: Blueprint, tenant: Tenant) -> None:
    old = link_of(blueprint)
    new = links.replace_link(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR).link_key
    assert links.owner_of_key(old) is None
    assert links.owner_of_key(new) == blueprint


def test_no_link_is_made_for_an_inactive_code(tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, enrollment_code_active=False)
    for make in (links.create_link, links.replace_link):
        with pytest.raises(ValidationError, match="Activate it first"):
            make(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR)


def test_no_link_is_made_for_a_blueprint_of_another_tenant(blueprint: Blueprint, other_tenant: Tenant) -> None:
    for make in (links.create_link, links.replace_link):
        with pytest.raises(Blueprint.DoesNotExist):
            make(tenant=other_tenant, blueprint_id=blueprint.uuid, actor=ACTOR)


def change_the_code(blueprint: Blueprint) -> None:
    update_blueprint(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code="654321")


def deactivate_the_code(blueprint: Blueprint) -> None:
    update_blueprint(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code_active=False)


def delete(blueprint: Blueprint) -> None:
    delete_blueprint(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR)


def suspend(blueprint: Blueprint) -> None:
    Tenant.objects.filter(pk=blueprint.tenant_id).update(active=False)


@pytest.mark.parametrize("end", [change_the_code, deactivate_the_code, delete, suspend])
def test_what_ends_a_link_and_an_entered_code(end: Callable[[Blueprint], None], blueprint: Blueprint) -> None:
    key, entered = link_of(blueprint), links.pass_key(blueprint)
    assert links.owner_of_key(key) == links.owner_of_key(entered) == blueprint
    end(blueprint)
    assert links.owner_of_key(key) is None
    assert links.owner_of_key(entered) is None
    assert links.owner_of_code(subdomain="accuhive", code="123456") is None


def test_a_link_does_not_come_back_with_its_code(blueprint: Blueprint) -> None:
    key = link_of(blueprint)
    deactivate_the_code(blueprint)
    update_blueprint(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code_active=True)
    assert links.owner_of_key(key) is None


def test_a_code_is_that_of_its_organization(blueprint: Blueprint, tenant: Tenant, other_tenant: Tenant) -> None:
    update_routing(tenant=tenant, actor=ACTOR, enrollment_code="777777", enrollment_code_active=True)
    routing = BlueprintRouting.objects.get(tenant=tenant)
    assert links.owner_of_code(subdomain="accuhive", code="123456") == blueprint
    assert links.owner_of_code(subdomain="accuhive", code="777777") == routing
    assert links.owner_of_key(links.pass_key(routing)) == routing
    assert links.owner_of_code(subdomain="elsewhere", code="123456") is None


def test_a_link_of_the_routing_ends_with_its_code(tenant: Tenant) -> None:
    with pytest.raises(ValidationError, match="Activate it first"):
        links.create_link(tenant=tenant, blueprint_id=None, actor=ACTOR)
    update_routing(tenant=tenant, actor=ACTOR, enrollment_code="777777", enrollment_code_active=True)
    old = links.create_link(tenant=tenant, blueprint_id=None, actor=ACTOR).link_key
    assert links.create_link(tenant=tenant, blueprint_id=None, actor=ACTOR).link_key == old
    key = links.replace_link(tenant=tenant, blueprint_id=None, actor=ACTOR).link_key
    assert links.owner_of_key(old) is None
    assert links.owner_of_key(key) == BlueprintRouting.objects.get(tenant=tenant)
    events = tenant.audit_events.about("blueprint_routing", str(tenant.pk))
    assert {"Enrollment link created", "Enrollment link replaced"} < {event.summary for event in events}
    update_routing(tenant=tenant, actor=ACTOR, enrollment_code="888888")
    assert links.owner_of_key(key) is None


@pytest.mark.parametrize("key", ["", "x" * 22, "a\0b", "blueprint.1.0", "blueprint.1.0:1abcde:signature", "é" * 22])
def test_an_invented_key_stands_for_nothing(key: str, blueprint: Blueprint) -> None:
    assert links.owner_of_key(key) is None


def test_an_entered_code_is_good_for_an_hour(blueprint: Blueprint, monkeypatch: pytest.MonkeyPatch) -> None:
    key = links.pass_key(blueprint)
    monkeypatch.setattr(links, "PASS_LIFE", -1)
    assert links.owner_of_key(key) is None


def test_a_text_that_was_signed_for_another_purpose_is_no_key(blueprint: Blueprint) -> None:
    assert links.owner_of_key(signing.TimestampSigner().sign(f"blueprint.{blueprint.pk}.0")) is None
