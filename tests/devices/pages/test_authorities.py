"""Settings: the card of the certificate authority, and its replacement."""

from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import Role, Tenant
from devices.enrollment.authorities import Purpose, authority
from devices.models import DeviceCertificate, Enrollment, MdmAuthority
from tests.devices.pages.browsing import HTMX, SignIn, newest, on, text
from tests.factories.devices import MdmAuthorityFactory

pytestmark = pytest.mark.django_db
PAGE = "/settings/push-certificate/"


@pytest.fixture
def row(tenant: Tenant) -> MdmAuthority:
    return MdmAuthorityFactory.create(tenant=tenant)


def address(row: MdmAuthority) -> str:
    return f"/settings/authorities/{row.pk}/replace/"


def issue(row: MdmAuthority, number: int, state: str = "enrolled", days: int = 100) -> DeviceCertificate:
    """A certificate of a device, with its enrollment."""
    now = timezone.now()
    enrollment = Enrollment.objects.create(tenant=row.tenant, udid=str(number), state=state, created_at=now)
    return DeviceCertificate.objects.create(
        tenant=row.tenant,
        authority=row,
        enrollment=enrollment,
        serial_number=str(number),
        sha256=str(number),
        certificate=b"-",
        ticket={},
        not_before=now,
        not_after=now + timedelta(days=days),
    )


def test_the_card_counts_the_devices_that_use_its_certificates(sign_in: SignIn, row: MdmAuthority) -> None:
    client = sign_in(Role.ADMIN)
    issue(row, 1)
    issue(row, 2, state="out")
    issue(row, 3, days=-1)
    superseded = issue(row, 4)
    superseded.superseded_at = timezone.now()
    superseded.save()
    shown = text(client.get(PAGE))
    assert "<dt>Used by</dt><dd>1 device</dd>" in shown
    assert f"{row.not_after:%b}" in shown
    assert address(row) in shown


def test_without_an_authority_there_is_no_card(sign_in: SignIn, tenant: Tenant) -> None:
    assert "Certificate authority" not in text(sign_in().get(PAGE))


def test_it_is_replaced_and_the_former_is_shown_as_long_as_devices_use_it(sign_in: SignIn, tenant: Tenant) -> None:
    client, row = sign_in(), authority(tenant, Purpose.DEVICES).row
    certificate = issue(row, 1)
    dialog = text(client.get(address(row), headers=HTMX))
    assert "Devices that are enrolled stay enrolled" in dialog
    assert "1 device" in dialog
    answer = client.post(address(row), headers=on(PAGE))
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")
    event = newest(tenant)
    assert (event.summary, event.actor_type) == ("Certificate replaced: issues the certificates of devices", "user")
    fresh = authority(tenant, Purpose.DEVICES).row
    shown = text(client.get(PAGE))
    assert "A new certificate authority issues certificates now" in shown
    assert address(fresh) in shown
    assert address(row) not in shown
    assert "still used by 1 device," in shown
    certificate.not_after = timezone.now()
    certificate.save()
    assert "still used by" not in text(client.get(PAGE))


def test_the_same_form_twice_replaces_it_once(sign_in: SignIn, tenant: Tenant) -> None:
    client, row = sign_in(), authority(tenant, Purpose.DEVICES).row
    assert client.post(address(row))["Location"] == PAGE
    again = client.post(address(row))
    assert (again.status_code, "It was replaced already." in text(again)) == (422, True)
    assert tenant.mdm_authorities.count() == 2


def test_the_password_is_asked_for_again(sign_in: SignIn, tenant: Tenant, row: MdmAuthority) -> None:
    client = sign_in(recently=False, password="a password of the test")
    assert "Confirm your password" in text(client.get(address(row), headers=HTMX))
    assert client.post(address(row), headers=HTMX).status_code == 422
    assert client.post(address(row), {"password": "x"}, headers=HTMX).status_code == 422
    assert tenant.mdm_authorities.get() == row
    assert client.post(address(row), {"password": "a password of the test"})["Location"] == PAGE
    assert tenant.mdm_authorities.count() == 2


def test_other_certificates_of_the_server_are_not_replaced_here(sign_in: SignIn, tenant: Tenant) -> None:
    row = MdmAuthorityFactory.create(tenant=tenant, purpose=Purpose.SIGNING)
    assert sign_in().post(address(row)).status_code == 404
