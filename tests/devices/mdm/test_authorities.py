"""Replacing the certificate authority of an organization, while its devices are enrolled."""

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from access.models import Tenant
from devices.enrollment.authorities import Purpose, authorities, authority, replace, rewrap
from devices.enrollment.profiles import enrollment_profile
from devices.mdm.simulator.transports import Answer
from devices.models import Blueprint, DeviceCertificate, MdmAuthority
from tests.devices.mdm.conftest import NewDevice, stored, transport
from tests.devices.sending import ACTOR, send

pytestmark = pytest.mark.django_db


def replaced(tenant: Tenant) -> tuple[MdmAuthority, MdmAuthority]:
    """The former authority, and the one that takes its place."""
    former = authority(tenant, Purpose.DEVICES).row
    return former, replace(tenant=tenant, authority_id=former.pk, actor=ACTOR)


def newest(tenant: Tenant) -> DeviceCertificate:
    return tenant.device_certificates.latest("pk")


def test_devices_stay_enrolled_and_others_come_under_the_new_authority(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device()
    former, fresh = replaced(tenant)
    row = send(stored(device), "restart_device").command
    device.connect()
    row.refresh_from_db()
    assert row.status == row.Status.COMPLETED
    assert newest(tenant).authority == former
    other = new_device()
    assert other.say("Idle").status == 200
    assert newest(tenant).authority == fresh


def test_a_device_renews_under_the_new_authority(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device()
    device.connect()
    _, fresh = replaced(tenant)
    send(stored(device), "renew_mdm_profile")
    assert device.connect() == [("InstallProfile", "Acknowledged")]
    assert newest(tenant).authority == fresh
    assert device.say("Idle").status == 200


def test_a_request_that_was_made_for_the_former_authority_is_answered(
    new_device: NewDevice, tenant: Tenant, blueprint: Blueprint
) -> None:
    """The device has read the certificate of the authority, which is replaced before the request arrives."""
    device = new_device(enrolled=False)
    both: list[MdmAuthority] = []

    def replacing(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if "PKIOperation" in path and not both:
            both.extend(replaced(tenant))
        return transport(method, path, headers, body)

    device.transport = replacing
    device.enroll(enrollment_profile(blueprint))
    assert newest(tenant).authority == both[1]
    assert device.say("Idle").status == 200


def test_the_same_request_again_replaces_nothing(mdm: Tenant) -> None:
    former, fresh = replaced(mdm)
    with pytest.raises(ValidationError, match="replaced already"):
        replace(tenant=mdm, authority_id=former.pk, actor=ACTOR)
    assert authority(mdm, Purpose.DEVICES).row == fresh
    summaries = mdm.audit_events.filter(target_type="mdm_authority").values_list("summary", "actor_name")
    assert list(summaries.order_by("sequence")) == [
        ("Certificate created: issues the certificates of devices", "MDM"),
        ("Certificate replaced: issues the certificates of devices", ACTOR.name),
    ]


def test_the_authority_of_another_organization_is_not_found(mdm: Tenant, other_tenant: Tenant) -> None:
    theirs = authority(other_tenant, Purpose.DEVICES).row
    with pytest.raises(MdmAuthority.DoesNotExist):
        replace(tenant=mdm, authority_id=theirs.pk, actor=ACTOR)
    assert authority(other_tenant, Purpose.DEVICES).row == theirs


def test_the_keys_of_both_are_encrypted_again_with_a_newer_key(mdm: Tenant, settings: Settings) -> None:
    former, fresh = replaced(mdm)
    before = {each.row.pk: each.key.private_numbers() for each in authorities(mdm, Purpose.DEVICES)}
    settings.IRU_SECRET_KEYS = ["9:" + "4" * 64, *settings.IRU_SECRET_KEYS]
    assert [rewrap(limit=10), rewrap(limit=10)] == [2, 0]
    after = {each.row.pk: each.key.private_numbers() for each in authorities(mdm, Purpose.DEVICES)}
    assert after == before
    assert set(before) == {former.pk, fresh.pk}
    assert set(mdm.mdm_authorities.values_list("key_number", flat=True)) == {9}
