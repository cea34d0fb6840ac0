"""The page of the Blueprint routing: its enrollment code, and the same card as that of a Blueprint."""

import pytest

from access.audit.events import Actor
from access.models import Role, Tenant
from devices.enrollment.routing import update_routing
from devices.models import BlueprintRouting, PushCertificate
from tests.devices.pages.browsing import HTMX, SignIn, newest, text, unkept
from tests.factories.devices import BlueprintFactory

pytestmark = pytest.mark.django_db
PAGE = "/blueprints/routing/"


@pytest.fixture
def routing(tenant: Tenant, push_certificate: PushCertificate) -> BlueprintRouting:
    actor = Actor.command("tests")
    return update_routing(tenant=tenant, actor=actor, enrollment_code="777777", enrollment_code_active=True)


def test_it_gets_a_code_when_devices_may_enroll_with_it(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.STANDARD)
    assert "A code is made when you allow it." in text(client.get(PAGE))
    refused = client.post(f"{PAGE}link/")
    assert (refused.status_code, "Activate it first." in text(refused)) == (422, True)
    assert client.get(f"{PAGE}profile/")["Location"] == PAGE
    assert client.post(f"{PAGE}edit/", {"enrollment_code_active": "on"})["Location"] == PAGE
    row = BlueprintRouting.objects.get(tenant=tenant)
    assert (len(row.enrollment_code), row.enrollment_code_active) == (6, True)
    assert row.enrollment_code in text(client.get(PAGE))
    client.post(f"{PAGE}edit/", {"enrollment_code": ""})
    assert "while the enrollment code is inactive" in text(client.get(PAGE))


def test_a_code_of_a_blueprint_is_refused(tenant: Tenant, sign_in: SignIn) -> None:
    BlueprintFactory.create(tenant=tenant, enrollment_code="123456")
    answer = sign_in().post(f"{PAGE}edit/", {"enrollment_code": "123456"}, headers=HTMX)
    assert (answer.status_code, "This enrollment code is already in use." in text(answer)) == (422, True)


def test_it_has_a_link_that_can_be_replaced(routing: BlueprintRouting, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    assert client.post(f"{PAGE}link/")["Location"] == PAGE
    routing.refresh_from_db()
    first = routing.link_key
    assert f"/enroll/{first}/</code>" in text(client.get(PAGE))
    client.post(f"{PAGE}link/replace/")
    routing.refresh_from_db()
    content = text(client.get(PAGE))
    assert first not in content
    assert f"/enroll/{routing.link_key}/</code>" in content
    assert newest(tenant).summary == "Enrollment link replaced"


def test_the_profile_is_downloaded(routing: BlueprintRouting, sign_in: SignIn) -> None:
    response = sign_in().get(f"{PAGE}profile/")
    assert response["Content-Type"] == "application/x-apple-aspen-config"
    assert unkept(response)


def test_a_role_that_only_looks_sees_no_link(routing: BlueprintRouting, sign_in: SignIn) -> None:
    sign_in().post(f"{PAGE}link/")
    routing.refresh_from_db()
    content = text(sign_in(Role.AUDITOR).get(PAGE))
    assert "777777" in content
    assert routing.link_key not in content
    assert "Edit" not in content


def test_the_routing_of_another_tenant_is_its_own(
    routing: BlueprintRouting, other_tenant: Tenant, sign_in: SignIn
) -> None:
    BlueprintRouting.objects.create(tenant=other_tenant, enrollment_code="999999", enrollment_code_active=True)
    client = sign_in()
    client.post(f"{PAGE}link/")
    assert "999999" not in text(client.get(PAGE))
    assert BlueprintRouting.objects.get(tenant=other_tenant).link_key == ""
