"""Reminders of the end of a push certificate, each once, and what `doctor` lists."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import OwnerNotice, Tenant
from devices.enrollment.expiries import list_expiring
from devices.enrollment.push_reminders import remind_of_push_certificates
from devices.models import MdmAuthority, PushCertificate

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def certificate(tenant: Tenant) -> PushCertificate:
    return PushCertificate.objects.create(
        tenant=tenant,
        topic="com.apple.mgmt.External.1",
        certificate="-",
        key_number=1,
        ciphertext=b"-",
        not_after=NOW + 70 * DAY,
        apple_account="mdm@accuhive.test",
    )


@pytest.fixture
def reminded(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], int]:
    """`reminded(days)`: the number of reminders when the task runs so many days from now."""

    def run(days: float) -> int:
        monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + days * DAY)
        before = OwnerNotice.objects.count()
        remind_of_push_certificates.call()
        remind_of_push_certificates.call()  # a second run reminds of nothing
        return OwnerNotice.objects.count() - before

    return run


def test_five_reminders_each_once(certificate: PushCertificate, reminded: Callable[[float], int]) -> None:
    moments = [0, 9.9, 10.1, 39.9, 40.1, 55.9, 56.1, 62.9, 63.1, 68.9, 69.1, 69.9, 70.1]
    assert [reminded(days) for days in moments] == [0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0]
    notice = OwnerNotice.objects.first()
    assert notice
    assert (notice.kind, notice.path) == ("push_certificate.expiring", "/settings/push-certificate/")
    assert notice.facts["Apple account"] == "mdm@accuhive.test"
    assert notice.facts["Expires"].startswith(f"{NOW + 70 * DAY:%Y-%m-%d}")


def test_a_worker_that_was_away_reminds_once(certificate: PushCertificate, reminded: Callable[[float], int]) -> None:
    assert [reminded(69.5), reminded(69.9)] == [1, 0]


def test_some_certificates_need_no_reminder(
    tenant: Tenant, certificate: PushCertificate, reminded: Callable[[float], int]
) -> None:
    PushCertificate.objects.update(simulated=True)
    assert reminded(50) == 0
    PushCertificate.objects.update(simulated=False)
    Tenant.objects.update(active=False)
    assert reminded(50) == 0
    Tenant.objects.update(active=True)
    assert reminded(50) == 1


def test_what_doctor_lists(tenant: Tenant, certificate: PushCertificate) -> None:
    def names() -> list[str]:
        return [each.name for each in list_expiring(NOW + 30 * DAY)]

    authority = MdmAuthority.objects.create(
        tenant=tenant,
        purpose=MdmAuthority.Purpose.SIGNING,
        certificate=b"-",
        key_number=1,
        ciphertext=b"-",
        not_after=NOW + 31 * DAY,
    )
    assert names() == []
    PushCertificate.objects.update(not_after=NOW + 29 * DAY)
    MdmAuthority.objects.update(not_after=NOW + 29 * DAY)
    assert names() == [
        "The Apple push certificate of accuhive",
        "The MDM certificate of accuhive that signs enrollment profiles",
    ]
    authority.retired_at = NOW
    authority.save()
    PushCertificate.objects.update(simulated=True)
    assert names() == []
