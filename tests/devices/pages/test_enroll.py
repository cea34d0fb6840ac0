"""The portal, where people who are not signed in get the profile that enrolls their device."""

import io
import logging
import plistlib
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.audit.events import Actor
from access.audit.security import SecurityEvent, counts
from access.logs import JsonFormatter
from access.models import Tenant
from devices.blueprints.blueprints import update_blueprint
from devices.enrollment import links, tickets
from devices.enrollment.authorities import Purpose, authority
from devices.models import Blueprint, PushCertificate
from devices.wire import cms
from tests.devices.pages.browsing import text, unkept
from tests.factories.devices import BlueprintFactory
from tests.types import Response

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("tests")
REFUSED = "This link or code does not work"


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, name="Secret plans", enrollment_code="123456")


@pytest.fixture
def link(blueprint: Blueprint, push_certificate: PushCertificate) -> str:
    made = links.create_link(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR)
    return reverse("enroll-link", args=[made.link_key])


def enter(client: Client, organization: str = "accuhive", code: str = "123456", **options: Any) -> Response:
    response: Response = client.post("/enroll/", {"organization": organization, "code": code}, **options)
    return response


def ticket_in(profile: bytes, tenant: Tenant) -> tickets.Ticket:
    """The ticket in a profile, whose signature is verified as the tenant's."""
    signature = cms.parse_attached(profile)
    content = signature.content or b""
    signature.verify(content, authority(tenant, Purpose.SIGNING).certificate.public_key())
    payloads = {payload["PayloadType"]: payload for payload in plistlib.loads(content)["PayloadContent"]}
    challenge = payloads["com.apple.security.scep"]["PayloadContent"]["Challenge"]
    return tickets.read(challenge, tenant=tenant)


def test_the_page_of_a_link_names_the_organization_alone(client: Client, link: str) -> None:
    response = client.get(link)
    assert response.status_code == 200
    assert unkept(response)
    assert "Accuhive" in text(response)
    assert f'href="{link}profile/"' in text(response)
    assert "Secret plans" not in text(response)
    assert "<nav" not in text(response)


def test_the_profile_of_a_link_is_signed_and_leads_to_the_blueprint(
    client: Client, link: str, blueprint: Blueprint, tenant: Tenant
) -> None:
    response = client.get(f"{link}profile/")
    assert response.status_code == 200
    assert unkept(response)
    assert response["Content-Type"] == "application/x-apple-aspen-config"
    assert response["Content-Disposition"] == 'attachment; filename="enrollment.mobileconfig"'
    assert b"Secret plans" not in response.content
    ticket = ticket_in(response.content, tenant)
    tickets.check_alive(ticket, tenant=tenant)
    assert ticket.blueprint == blueprint.pk

    update_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code="654321")
    with pytest.raises(tickets.TicketRefused):
        tickets.check_alive(ticket, tenant=tenant)
    for path in (link, f"{link}profile/"):
        assert client.get(path).status_code == 404


def test_a_code_leads_to_the_same_page(client: Client, link: str, tenant: Tenant, blueprint: Blueprint) -> None:
    assert client.get("/enroll/").status_code == 200
    response = enter(client, " Accuhive ", " 123456 ")
    assert response.status_code == 302
    page = client.get(response["Location"])
    assert "Accuhive" in text(page)
    profile = client.get(f"{response['Location']}profile/").content
    assert ticket_in(profile, tenant).blueprint == blueprint.pk
    assert "123456" not in response["Location"]


def test_the_form_says_where_it_comes_from(client: Client) -> None:
    """Under another policy browsers send it with `Origin: null`, and it is refused."""
    for response in (client.get("/enroll/"), enter(client, code="")):
        assert unkept(response)
        assert response["Referrer-Policy"] == "same-origin"


def test_a_form_from_another_site_is_refused(link: str) -> None:
    assert enter(Client(enforce_csrf_checks=True)).status_code == 403


def test_whatever_is_wrong_is_answered_in_the_same_way(
    client: Client, link: str, blueprint: Blueprint, tenant: Tenant, other_tenant: Tenant
) -> None:
    BlueprintFactory.create(tenant=tenant, enrollment_code="222222", enrollment_code_active=False)
    suspended = BlueprintFactory.create(tenant=other_tenant, enrollment_code="333333")
    links.create_link(tenant=other_tenant, blueprint_id=suspended.uuid, actor=ACTOR)
    suspended.refresh_from_db()
    Tenant.objects.filter(pk=other_tenant.pk).update(active=False)
    links.replace_link(tenant=tenant, blueprint_id=blueprint.uuid, actor=ACTOR)
    before = counts()[SecurityEvent.ENROLLMENT_REFUSED]
    answers = [
        enter(client, "nowhere"),
        enter(client, code="111111"),
        enter(client, code="222222"),
        enter(client, "elsewhere", "333333"),
        client.get(reverse("enroll-link", args=[suspended.link_key])),
        client.get(link),
        client.get(f"{link}profile/"),
        client.get(reverse("enroll-link", args=["nonsense"])),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert all(unkept(answer) and REFUSED in text(answer) for answer in answers)
    assert len({text(answer).split("<body>")[1] for answer in answers}) == 1
    assert counts()[SecurityEvent.ENROLLMENT_REFUSED] == before + len(answers)


def test_ten_wrong_codes_pause_a_network_and_right_ones_do_not_count(client: Client, link: str) -> None:
    assert [enter(client).status_code for _ in range(3)] == [302] * 3
    assert [enter(client, code="000000").status_code for _ in range(10)] == [404] * 10
    paused = enter(client)
    assert paused.status_code == 429
    assert unkept(paused)
    assert int(paused["Retry-After"]) <= 300
    assert enter(client, REMOTE_ADDR="192.0.2.9").status_code == 302
    assert client.get(link).status_code == 200


def test_without_a_push_certificate_the_page_says_that_it_is_too_early(
    client: Client, link: str, push_certificate: PushCertificate
) -> None:
    push_certificate.delete()
    for path in (link, f"{link}profile/"):
        response = client.get(path)
        assert response.status_code == 409
        assert "Devices cannot be enrolled at the moment." in text(response)
        assert "Download" not in text(response)


def test_no_log_line_has_the_key_of_a_link(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django logs the path of a page that fails."""

    def fail(key: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(links, "owner_of_key", fail)
    client.raise_request_exception = False
    handler = logging.StreamHandler(written := io.StringIO())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        client.get("/enroll/Zm9yZ290dGVuLWxpbms1Zg/profile/")
    finally:
        logger.removeHandler(handler)
    assert "/enroll/[" in written.getvalue()
    assert "Zm9yZ290" not in written.getvalue()
