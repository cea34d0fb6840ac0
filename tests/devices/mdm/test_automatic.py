"""Automated Device Enrollment: a device that Apple has assigned enrolls by itself, and waits until it is let go."""

from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.enrollment.ade_profiles import own_url
from devices.enrollment.machine_issuers import issue_simulated
from devices.mdm.setup import LONGEST
from devices.mdm.simulator.device import Cut
from devices.mdm.simulator.enrolling import NotEnrolled
from devices.mdm.simulator.setup_assistant import activate, fetch_profile
from devices.mdm.simulator.transports import ConnectionCut
from devices.models import AdeDevice, AdeIntegration, Blueprint, Device, DeviceInventory, DeviceSeen, Enrollment
from devices.pages.device_connection import connection
from tests.devices.mdm.assigned import assign, enroll
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.sending import send
from tests.factories.devices import AdeTokenFactory, BlueprintFactory, PushCertificateFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["mac", "iphone", "ipad", "apple_tv"])
def test_an_assigned_device_enrolls_and_is_let_go(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant, kind: str
) -> None:
    device, store = new_device(kind, enrolled=False), BlueprintFactory.create(tenant=tenant, name="Store")
    user = UserFactory.create(tenant=tenant)
    row = assign(device, listing, blueprint=store, user=user, asset_tag="A-7")
    enroll(device, tenant)
    known, enrollment = stored(device), Enrollment.objects.get()
    assert (enrollment.kind, enrollment.simulated, enrollment.awaiting_configuration) == ("ade", True, True)
    assert (known.blueprint, known.user, known.asset_tag, known.mdm_enabled) == (store, user, "A-7", True)
    details = DeviceInventory.objects.get(device=known).details
    assert details["automated_device_enrollment"] == {"auto_enroll_eligible": True, "auto_enrolled": True}
    row.refresh_from_db()
    assert row.profile_status == "pushed"
    assert row.profile_push_time is not None
    [event] = tenant.audit_events.filter(summary="Device enrolled")
    assert event.metadata
    assert event.metadata["enrollment_type"] == "Automated Device Enrollment"
    card = connection(known)
    assert card
    assert card.enrolled_by == "Automated Device Enrollment"
    assert card.waits_until == enrollment.enrolled_at + LONGEST  # type: ignore[operator]
    said = device.connect()
    assert said.count(("DeviceConfigured", "Acknowledged")) == 1
    assert said.index(("DeviceInformation", "Acknowledged")) < said.index(("DeviceConfigured", "Acknowledged"))
    assert device.state.configured
    enrollment.refresh_from_db()
    assert not enrollment.awaiting_configuration
    card = connection(known)
    assert card
    assert card.waits_until is None
    assert "DeviceConfigured" not in [request for request, _ in device.connect()]


def test_a_device_without_a_blueprint_is_routed(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant, blueprint: Blueprint
) -> None:
    BlueprintFactory.create(tenant=tenant, name="Newer")
    device = new_device(enrolled=False)
    assign(device, listing, blueprint=None, use_blueprint_routing=True)
    enroll(device, tenant)
    assert stored(device).blueprint == blueprint


def test_the_place_that_was_chosen_last_counts(new_device: NewDevice, listing: AdeIntegration, tenant: Tenant) -> None:
    device, later = new_device(enrolled=False), BlueprintFactory.create(tenant=tenant, name="Later")
    row = assign(device, listing)
    device.activation = activate(device, issue_simulated)
    device.install(fetch_profile(device, own_url(tenant), device.activation))
    device.authenticate()
    AdeDevice.objects.filter(pk=row.pk).update(blueprint=later)
    device.update_token()
    assert stored(device).blueprint == later
    event = tenant.audit_events.get(summary="Device enrolled")
    assert event.metadata
    assert event.metadata["blueprint"] == "Later"


# --- Release and assignment elsewhere ---------------------------------------------------------------------------------


def test_a_device_that_apple_lists_no_longer(new_device: NewDevice, listing: AdeIntegration, tenant: Tenant) -> None:
    device = new_device(enrolled=False)
    row = assign(device, listing)
    enroll(device, tenant)
    row.delete()
    assert device.connect()  # it stays enrolled
    assert stored(device).mdm_enabled
    device.unenroll()
    with pytest.raises(NotEnrolled, match="400"):
        enroll(device, tenant)


def test_a_device_that_moved_to_another_tenant(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant, other_tenant: Tenant
) -> None:
    PushCertificateFactory.create(tenant=other_tenant, simulated=True)
    elsewhere = AdeTokenFactory.create(tenant=other_tenant)
    device = new_device(enrolled=False)
    row = assign(device, listing)
    enroll(device, tenant)
    with pytest.raises(NotEnrolled, match="400"):
        enroll(device, other_tenant)
    row.delete()
    assign(device, elsewhere)
    enroll(device, other_tenant)
    assert set(Device.objects.values_list("tenant", "mdm_enabled")) == {(tenant.pk, True), (other_tenant.pk, True)}


def test_a_device_that_moved_to_another_server_of_the_tenant(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant
) -> None:
    device, shop = new_device(enrolled=False), BlueprintFactory.create(tenant=tenant, name="Shop")
    row = assign(device, listing)
    enroll(device, tenant)
    other = AdeTokenFactory.create(tenant=tenant, blueprint=shop)
    AdeDevice.objects.filter(pk=row.pk).update(integration=other, blueprint=shop)
    assert stored(device).blueprint == listing.blueprint  # until it enrolls again
    device.unenroll()
    enroll(device, tenant)
    assert stored(device).blueprint == shop


def test_a_device_that_was_erased_comes_back_by_itself(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant
) -> None:
    device = new_device("iphone", enrolled=False)
    assign(device, listing)
    enroll(device, tenant)
    device.connect()
    row = send(stored(device), "erase_device").command
    device.connect()
    assert device.erased
    enroll(device, tenant)
    assert Device.objects.count() == 1
    assert [each.kind for each in Enrollment.objects.order_by("pk")] == ["ade", "ade"]
    row.refresh_from_db()
    assert row.status == row.Status.COMPLETED
    assert ("DeviceConfigured", "Acknowledged") in device.connect()


def test_a_device_that_failed_half_way_tries_again(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant
) -> None:
    device = new_device(enrolled=False)
    assign(device, listing)
    device.activation = activate(device, issue_simulated)
    device.install(fetch_profile(device, own_url(tenant), device.activation))
    device.authenticate()
    enroll(device, tenant)
    assert [each.state for each in Enrollment.objects.order_by("pk")] == ["out", "enrolled"]


def test_a_device_that_did_not_hear_that_it_is_enrolled_tries_again(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant
) -> None:
    device = new_device(enrolled=False)
    assign(device, listing)
    device.activation = activate(device, issue_simulated)
    device.install(fetch_profile(device, own_url(tenant), device.activation))
    device.authenticate()
    device.cut = Cut.AFTER
    with pytest.raises(ConnectionCut):
        device.update_token()
    assert Enrollment.objects.get().state == "enrolled"
    enroll(device, tenant)
    assert ("DeviceConfigured", "Acknowledged") in device.connect()


def test_the_same_words_after_the_device_has_left_or_was_silent(
    new_device: NewDevice, listing: AdeIntegration, tenant: Tenant
) -> None:
    device = new_device(enrolled=False)
    assign(device, listing)
    enroll(device, tenant)
    device.unenroll()
    enroll(device, tenant)
    device.connect()
    with pytest.raises(NotEnrolled, match="400"):
        enroll(device, tenant)
    known = stored(device)
    yesterday = timezone.now() - timedelta(hours=25)
    Device.objects.filter(pk=known.pk).update(last_check_in=yesterday)
    DeviceSeen.objects.filter(device=known).update(at=yesterday)
    enroll(device, tenant)
