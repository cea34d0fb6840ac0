"""Enrolling through the real host, with a simulated device on the other side."""

import plistlib
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import ApiToken, Tenant
from devices.blueprints.blueprints import update_blueprint
from devices.enrollment.profiles import enrollment_profile
from devices.mdm.simulator.enrolling import NotEnrolled
from devices.models import Blueprint, DeviceSecret, Enrollment, Platform
from devices.pages.device_connection import connection
from tests.devices.mdm.apple import faults
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.sending import ACTOR, send
from tests.types import Call

pytestmark = pytest.mark.django_db
State = Enrollment.State


def listed(api: Call, token: ApiToken) -> Any:
    return api("GET", "/api/v1/devices", token).json()


@pytest.mark.parametrize(
    ("kind", "platform"), [("mac", "Mac"), ("iphone", "iPhone"), ("ipad", "iPad"), ("apple_tv", "AppleTV")]
)
def test_a_device_with_the_profile_is_in_the_fleet(
    new_device: NewDevice, api: Call, token: ApiToken, tenant: Tenant, kind: str, platform: str
) -> None:
    device = new_device(kind)
    [shown] = listed(api, token)
    assert shown["serial_number"] == device.serial_number
    assert shown["platform"] == platform
    assert shown["blueprint_name"] == "Office"
    assert shown["mdm_enabled"] is True
    assert tenant.fleet.device_count == 1
    enrollment = Enrollment.objects.get()
    assert (enrollment.udid, enrollment.state) == (device.udid, State.ENROLLED)
    assert (bytes(enrollment.token or b""), enrollment.push_magic) == (device.push_token, device.push_magic)
    assert enrollment.push_due_at is not None
    [event] = tenant.audit_events.filter(summary="Device enrolled")
    assert event.actor_type == "system"
    assert device.connect() == device.conversation


def test_nothing_is_shown_before_the_device_can_be_woken(
    new_device: NewDevice, api: Call, token: ApiToken, blueprint: Blueprint
) -> None:
    device = new_device(enrolled=False)
    device.install(enrollment_profile(blueprint))
    device.authenticate()
    assert listed(api, token) == []
    assert device.say("Idle").status == 400
    device.update_token()
    assert len(listed(api, token)) == 1


def test_the_same_messages_again_change_nothing(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device()
    device.authenticate()
    device.update_token()
    assert tenant.enrollments.count() == 1
    assert tenant.fleet.device_count == 1


def test_one_profile_enrolls_many_devices(new_device: NewDevice, tenant: Tenant, blueprint: Blueprint) -> None:
    profile = enrollment_profile(blueprint)
    for kind in ("mac", "iphone", "mac"):
        new_device(kind, enrolled=False).enroll(profile)
    assert tenant.fleet.device_count == 3


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"indefinite": False},
        {"attributes": True, "digest": "sha256"},
        {"digest": "sha512", "indefinite": False, "attributes": True},
    ],
)
def test_every_form_of_signature_that_devices_use(new_device: NewDevice, blueprint: Blueprint, form: Any) -> None:
    device = new_device(enrolled=False)
    for name, value in form.items():
        setattr(device.switches, name, value)
    device.enroll(enrollment_profile(blueprint))
    assert device.connect() == device.conversation


def test_a_request_for_a_certificate_in_the_address(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device(enrolled=False)
    device.switches.scep_get = True
    device.enroll(enrollment_profile(blueprint))
    assert stored(device).mdm_enabled


@pytest.mark.parametrize("clock", [timedelta(days=-3000), timedelta(days=3000)])
def test_a_device_whose_clock_is_wrong(new_device: NewDevice, blueprint: Blueprint, clock: timedelta) -> None:
    device = new_device(enrolled=False)
    device.switches.clock = clock
    device.enroll(enrollment_profile(blueprint))
    assert stored(device).mdm_enabled


def test_a_profile_ends_with_its_code(new_device: NewDevice, blueprint: Blueprint) -> None:
    profile = enrollment_profile(blueprint)
    update_blueprint(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code_active=False)
    with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
        new_device(enrolled=False).enroll(profile)


def test_the_unlock_token_and_the_bootstrap_token_are_kept(new_device: NewDevice) -> None:
    phone, mac = new_device("iphone"), new_device("mac")
    assert stored(phone).secrets.filter(kind=DeviceSecret.Kind.UNLOCK_TOKEN).exists()
    assert mac.get_bootstrap_token() is None
    mac.set_bootstrap_token(b"boot" * 20)
    assert mac.get_bootstrap_token() == b"boot" * 20
    mac.set_bootstrap_token(b"boat" * 20)
    assert mac.get_bootstrap_token() == b"boat" * 20
    assert stored(mac).tenant.audit_events.filter(summary="Bootstrap token stored").count() == 1
    mac.check_in("SetBootstrapToken")
    assert mac.get_bootstrap_token() is None


def test_checking_out(new_device: NewDevice, api: Call, token: ApiToken, tenant: Tenant) -> None:
    device = new_device("iphone")
    row = send(stored(device), "restart_device").command
    assert (shown := connection(stored(device))) is not None
    assert shown.certificate_until is not None
    device.unenroll()
    assert (shown := connection(stored(device))) is not None
    assert (shown.ended_at is None, shown.certificate_until, shown.push_due_at) == (False, None, None)
    [shown] = listed(api, token)
    assert (shown["mdm_enabled"], shown["is_removed"]) == (False, True)
    row.refresh_from_db()
    assert row.status == row.Status.FAILED
    assert "unenrolled" in row.error_chain[0]["localized_description"]
    assert not stored(device).secrets.exists()
    enrollment = tenant.enrollments.get()
    assert (enrollment.state, enrollment.token, enrollment.push_due_at) == (State.OUT, None, None)


def test_a_device_that_was_erased_comes_back_as_itself(
    new_device: NewDevice, blueprint: Blueprint, tenant: Tenant, api: Call, token: ApiToken
) -> None:
    device = new_device()
    before = stored(device)
    waits = send(before, "restart_device").command
    erase = send(before, "erase_device", PIN="123456").command
    assert device.connect() == [("EraseDevice", "Acknowledged")]
    assert (device.erased, device.state.pin) == (True, "123456")
    for row, status in ((erase, 3), (waits, 4)):
        row.refresh_from_db()
        assert row.status == status
    assert device.type_pin("123456")
    device.enroll(enrollment_profile(blueprint))
    assert stored(device).pk == before.pk
    assert tenant.fleet.device_count == len(listed(api, token)) == 1
    assert sorted(tenant.enrollments.values_list("state", flat=True)) == [State.ENROLLED, State.OUT]


def test_an_erased_phone_returns_to_service_by_itself(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device("iphone")
    before = stored(device)
    send(before, "erase_device", ReturnToService={"Enabled": True})
    assert device.connect() == [("EraseDevice", "Acknowledged")]
    assert device.enrolled
    assert device.enrollments == 2
    assert stored(device).pk == before.pk
    assert device.say("Idle").status == 200


@pytest.mark.parametrize("token", [None, b"boot" * 20])
def test_a_phone_takes_its_bootstrap_token_to_its_next_enrollment(new_device: NewDevice, token: bytes | None) -> None:
    phone = new_device("iphone")
    if token:
        phone.set_bootstrap_token(token)
    send(stored(phone), "erase_device", ReturnToService={"Enabled": True})
    command = plistlib.loads(phone.say("Idle").body)["Command"]
    assert command["ReturnToService"].get("BootstrapToken") == token
    assert faults(command, Platform.IPHONE) == []


def test_that_a_device_enrolls_again_proves_that_it_erased_itself(new_device: NewDevice, blueprint: Blueprint) -> None:
    """Its answer was lost."""
    device = new_device()
    erase = send(stored(device), "erase_device").command
    device.say("Idle")
    device.enroll(enrollment_profile(blueprint))
    erase.refresh_from_db()
    assert erase.status == erase.Status.COMPLETED


def test_an_enrollment_of_the_same_device_ends_the_former(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device()
    former = device.identity
    row = send(stored(device), "restart_device").command
    device.enroll(enrollment_profile(blueprint))
    row.refresh_from_db()
    assert row.status == row.Status.FAILED
    assert "enrolled again" in row.error_chain[0]["localized_description"]
    device.identity, fresh = former, device.identity
    assert device.say("Idle").status == 400
    device.identity = fresh
    assert device.say("Idle").status == 200


def test_a_deleted_device_is_told_to_leave(new_device: NewDevice, api: Call, token: ApiToken, tenant: Tenant) -> None:
    device = new_device()
    assert api("DELETE", f"/api/v1/devices/{stored(device).uuid}", token).status_code in {200, 204}
    enrollment = tenant.enrollments.get()
    assert enrollment.state == State.EVICTING
    assert enrollment.push_due_at is not None
    assert enrollment.token is not None
    assert device.connect() == [("RemoveProfile", "Acknowledged")]
    assert not device.enrolled
    enrollment.refresh_from_db()
    assert enrollment.state == State.EVICTED


def test_a_deleted_device_that_stays_is_told_that_it_is_unknown(
    new_device: NewDevice, api: Call, token: ApiToken
) -> None:
    device = new_device()
    device.switches.errors = {"RemoveProfile"}
    api("DELETE", f"/api/v1/devices/{stored(device).uuid}", token)
    assert device.connect() == [("RemoveProfile", "Error")]
    refused = device.say("Idle")
    assert refused.status == 403
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.body == b'{"code": "com.apple.unrecognized.device"}'
    assert device.removed_by == 403


def test_a_deleted_device_can_be_enrolled_again(
    new_device: NewDevice, api: Call, token: ApiToken, blueprint: Blueprint
) -> None:
    device = new_device()
    api("DELETE", f"/api/v1/devices/{stored(device).uuid}", token)
    device.enroll(enrollment_profile(blueprint))
    assert device.say("Idle").status == 200
    assert len(listed(api, token)) == 1


@pytest.mark.parametrize("answers_first", [False, True])
def test_renewing(new_device: NewDevice, tenant: Tenant, answers_first: bool) -> None:
    device = new_device()
    device.connect()
    device.switches.answers_before_renewal = answers_first
    row = send(stored(device), "renew_mdm_profile").command
    assert device.connect() == [("InstallProfile", "Acknowledged")]
    row.refresh_from_db()
    assert row.status == row.Status.COMPLETED
    enrollment = tenant.enrollments.get()
    assert device.former is not None
    old, new = enrollment.certificates.order_by("pk")
    assert (old.superseded_at is None, new.superseded_at) == (False, None)
    assert device.say("Idle").status == 200


def test_an_expired_certificate_fetches_its_successor_and_nothing_else(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device()
    device.connect()
    waits = send(stored(device), "restart_device").command
    certificate = tenant.device_certificates.get()
    certificate.not_after = timezone.now() - timedelta(days=1)
    certificate.save()
    assert device.connect() == []
    assert device.check_in("GetBootstrapToken").status == 400
    send(stored(device), "renew_mdm_profile")
    assert device.connect() == [("InstallProfile", "Acknowledged"), ("RestartDevice", "Acknowledged")]
    waits.refresh_from_db()
    assert waits.status == waits.Status.COMPLETED


def test_a_certificate_that_expired_long_ago(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device()
    tenant.device_certificates.update(not_after=timezone.now() - timedelta(days=401))
    assert device.say("Idle").status == 400


def test_two_devices_of_one_tenant_do_not_share_their_enrollment(new_device: NewDevice) -> None:
    one, other = new_device(), new_device()
    one.udid = other.udid
    assert one.say("Idle").status == 400
    assert one.check_in("CheckOut").status == 400
    assert stored(other).mdm_enabled


def test_a_simulated_device_is_marked(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device(enrolled=False)
    device.enroll(enrollment_profile(blueprint, simulated=True))
    assert stored(device).simulated
    # A real device cannot take its place, nor it that of a real one.
    with pytest.raises(NotEnrolled, match="400"):
        device.enroll(enrollment_profile(blueprint))
