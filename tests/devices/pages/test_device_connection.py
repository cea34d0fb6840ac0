"""The card with the connection of a device, and commands that are followed while they are on their way."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.models import Device, DeviceCertificate, DeviceCommand, Enrollment
from tests.devices.pages.browsing import HTMX, SignIn, page, text
from tests.devices.sending import send
from tests.factories.devices import DeviceCommandFactory, MdmAuthorityFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def enrollment(tenant: Tenant, mac: Device) -> Enrollment:
    now = timezone.now()
    return Enrollment.objects.create(
        tenant=tenant, device=mac, udid="A", state="enrolled", created_at=now, enrolled_at=now, push_due_at=now
    )


def test_the_card_is_that_of_an_enrolled_device(sign_in: SignIn, mac: Device, tenant: Tenant) -> None:
    client = sign_in()
    assert "connection-title" not in text(client.get(page("device", mac)))
    Enrollment.objects.create(tenant=tenant, device=mac, udid="A", state="enrolled", created_at=timezone.now())
    assert "connection-title" in text(client.get(page("device", mac)))


def test_a_dead_token_is_said_in_plain_words(sign_in: SignIn, mac: Device, enrollment: Enrollment) -> None:
    client = sign_in()
    assert "push token" not in text(client.get(page("device", mac)))
    Enrollment.objects.update(push_error="Unregistered", push_due_at=None)
    content = text(client.get(page("device", mac)))
    assert "push token is no longer valid. It works again when the device comes by itself." in content
    assert "Unregistered" not in content


def test_an_expired_certificate_is_said(sign_in: SignIn, mac: Device, enrollment: Enrollment) -> None:
    client, now = sign_in(), timezone.now()
    certificate = DeviceCertificate.objects.create(
        tenant=enrollment.tenant,
        authority=MdmAuthorityFactory.create(tenant=enrollment.tenant),
        enrollment=enrollment,
        certificate=b"-",
        ticket={},
        not_before=now,
        not_after=now + timedelta(days=1),
    )
    assert "Certificate valid until" in text(client.get(page("device", mac)))
    certificate.not_after = now - timedelta(days=1)
    certificate.save()
    content = text(client.get(page("device", mac)))
    assert "The device gets a new one when it comes next" in content
    assert "Certificate valid until" not in content


def test_a_device_that_left_has_no_certificate_and_no_pushes(
    sign_in: SignIn, mac: Device, enrollment: Enrollment
) -> None:
    now = timezone.now()
    Enrollment.objects.update(state="out", ended_at=now, push_sent_at=now, push_error="Unregistered")
    content = text(sign_in().get(page("device", mac)))
    assert "<dt>Left</dt>" in content
    for absent in ("Last push", "Next push", "Certificate"):
        assert absent not in content


def test_a_simulated_device_has_a_badge_in_list_and_page(sign_in: SignIn, mac: Device) -> None:
    client = sign_in()
    for path in ("/devices/", page("device", mac)):
        assert ">Simulated<" not in text(client.get(path))
    Device.objects.update(simulated=True)
    for path in ("/devices/", page("device", mac)):
        assert ">Simulated<" in text(client.get(path))


def test_a_command_is_followed_until_it_has_ended(sign_in: SignIn, mac: Device) -> None:
    client, path, now = sign_in(), page("device-commands", mac), timezone.now()
    command = DeviceCommandFactory.create(
        device=mac, command="lock_device", status=DeviceCommand.Status.PENDING, last_pushed=now
    )
    assert "Lock waits" in text(client.get(path))
    asks = re.search(r'hx-get="\?page=1&amp;(state=\w+)" hx-trigger="every', text(client.get(path)))
    assert asks
    assert client.get(f"{path}?{asks[1]}", headers=HTMX).status_code == 204

    DeviceCommand.objects.filter(pk=command.pk).update(status=DeviceCommand.Status.COMPLETED, date_completed=now)
    ended = client.get(f"{path}?{asks[1]}", headers=HTMX)
    assert ended.status_code == 200
    assert "Completed" in text(ended)
    assert "<html" not in text(ended)
    # The head of the page says it too.
    assert 'id="device-head" hx-swap-oob="true"' in text(ended)
    assert "Lock waits" not in text(ended)
    assert "every" not in text(ended)


def test_the_head_follows_a_lock(sign_in: SignIn, mac: Device) -> None:
    client, path, now = sign_in(), page("device-commands", mac), timezone.now()
    command = send(mac, "lock_device").command
    whole = text(client.get(path))
    assert "Lock waits" in whole
    assert "hx-swap-oob" not in whole
    DeviceCommand.objects.filter(pk=command.pk).update(status=DeviceCommand.Status.COMPLETED, date_completed=now)
    ended = text(client.get(f"{path}?state=former", headers=HTMX))
    assert '<div id="device-head" hx-swap-oob="true">' in ended
    assert ">Locked<" in ended
    assert "<html" not in ended


def test_a_command_that_waits_for_long_is_not_followed(sign_in: SignIn, mac: Device) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    DeviceCommandFactory.create(device=mac, status=DeviceCommand.Status.PENDING, last_pushed=long_ago)
    assert 'hx-trigger="every' not in text(sign_in().get(page("device-commands", mac)))
