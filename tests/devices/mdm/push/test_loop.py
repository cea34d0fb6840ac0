"""The loop of the worker that wakes devices, against a simulated push service."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from inspect import signature
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from access.models import Tenant
from devices.enrollment.enrollments import wake
from devices.mdm.push import loop
from devices.mdm.push.client import PushClient
from devices.mdm.push.connection import CLOSING
from devices.mdm.push.loop import PushLoop
from devices.mdm.simulator.apns import SimulatedApns
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.requests import Answer, Received
from devices.models import Device, Enrollment, PushCertificate
from tests.devices.mdm.push import TOPIC
from tests.devices.mdm.push.service import Running, upload
from tests.factories.devices import DeviceFactory

type Service = Callable[..., SimulatedApns]


@pytest.fixture
def apns(authority: Authority, settings: Settings, tmp_path: Path) -> Iterator[SimulatedApns]:
    (file := tmp_path / "authority.pem").write_bytes(authority.pem)
    with Running(SimulatedApns(authority=authority)).listening() as service:
        settings.IRU_CA_FILE = str(file)
        settings.IRU_APNS_URL = f"https://localhost:{service.port}"
        yield service


@pytest.fixture
def certificate(tenant: Tenant, authority: Authority) -> PushCertificate:
    return upload(tenant, authority)


def enrolled(tenant: Tenant, number: int = 1, **fields: object) -> Enrollment:
    device = DeviceFactory.create(tenant=tenant)
    token = number.to_bytes(32)
    given: dict[str, object] = {
        "push_due_at": timezone.now() - timedelta(seconds=1),
        "token": token,
        "push_magic": f"magic-{number}",
        "state": Enrollment.State.ENROLLED,
    }
    return Enrollment.objects.create(
        tenant=tenant,
        device=device,
        udid=f"UDID-{number}",
        created_at=timezone.now(),
        topic=TOPIC,
        **(given | fields),
    )


def run_once() -> int:
    with asyncio.Runner() as runner:
        push_loop = PushLoop()
        sent = push_loop.run_once(runner)
        runner.run(push_loop._close())
    return sent


def minutes_left(enrollment: Enrollment) -> float:
    enrollment.refresh_from_db()
    assert enrollment.push_due_at is not None
    return (enrollment.push_due_at - timezone.now()).total_seconds() / 60


@pytest.mark.django_db(transaction=True)
def test_due_devices_are_woken_once(tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns) -> None:
    due = [enrolled(tenant, number) for number in range(1, 4)]
    later = enrolled(tenant, 9, push_due_at=timezone.now() + timedelta(hours=1))
    gone = enrolled(tenant, 10, state=Enrollment.State.OUT)
    assert run_once() == 3
    assert {each.magic for each in apns.received} == {"magic-1", "magic-2", "magic-3"}
    assert run_once() == 0
    assert not apns.complaints
    for enrollment in due:
        assert 0.8 < minutes_left(enrollment) < 1.2
        assert enrollment.push_sent_at is not None
        assert enrollment.push_attempts == 1
        assert enrollment.lease_until is None
    later.refresh_from_db()
    gone.refresh_from_db()
    assert later.push_sent_at is gone.push_sent_at is None


@pytest.mark.django_db(transaction=True)
def test_a_device_that_does_not_come_is_woken_less_and_less(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrollment = enrolled(tenant)
    pauses = []
    for _ in range(7):
        run_once()
        pauses.append(minutes_left(enrollment))
        Enrollment.objects.update(push_due_at=timezone.now())
    expected = [1, 5, 15, 60, 360, 1440, 1440]
    assert all(0.85 * minutes < pause < 1.15 * minutes for pause, minutes in zip(pauses, expected, strict=True))


@pytest.mark.django_db(transaction=True)
def test_devices_that_were_woken_together_are_not_woken_again_together(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    due = [enrolled(tenant, number, push_attempts=4) for number in range(1, 7)]
    assert run_once() == 6
    left = [minutes_left(each) for each in due]
    assert max(left) - min(left) > 1


@pytest.mark.django_db(transaction=True)
def test_a_device_that_was_deleted_here_is_woken_to_hear_of_it(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrolled(tenant, state=Enrollment.State.EVICTING)
    assert run_once() == 1
    assert len(apns.received) == 1


@pytest.mark.django_db(transaction=True)
def test_the_devices_of_a_suspended_tenant_sleep(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrolled(tenant)
    Tenant.objects.update(active=False)
    assert run_once() == 0


@pytest.mark.django_db(transaction=True)
def test_an_expired_certificate_is_not_shown_to_apple(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrollment = enrolled(tenant)
    PushCertificate.objects.update(not_after=timezone.now() - timedelta(days=1))
    run_once()
    assert apns.connections == 0
    certificate.refresh_from_db()
    assert "expired" in certificate.error
    assert 9 < minutes_left(enrollment) < 11


@pytest.mark.django_db(transaction=True)
def test_apple_hears_nothing_of_simulated_devices(
    tenant: Tenant, certificate: PushCertificate, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrollment = enrolled(tenant)
    PushCertificate.objects.update(simulated=True)
    settings.IRU_APNS_URL = "https://api.push.apple.com"
    monkeypatch.setattr(loop, "PushClient", None)  # none is made
    assert run_once() == 1
    enrollment.refresh_from_db()
    assert (enrollment.push_due_at, enrollment.lease_until) == (None, None)


@pytest.mark.django_db(transaction=True)
def test_one_push_for_many_commands(tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns) -> None:
    enrollment = enrolled(tenant, push_due_at=None)
    for _ in range(20):
        wake([enrollment.device_id or 0])
    assert run_once() == 1
    assert run_once() == 0
    assert len(apns.received) == 1


@pytest.mark.django_db(transaction=True)
def test_a_device_that_comes_while_its_push_is_sent_is_left_alone(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrollment = enrolled(tenant)

    def connect(_: Received) -> None:
        thread = threading.Thread(target=come)
        thread.start()
        thread.join(10)

    def come() -> None:
        came.append(timezone.now())
        Enrollment.objects.filter(pk=enrollment.pk).update(push_due_at=None, push_attempts=0)
        connection.close()

    came: list[datetime] = []
    apns.handler = connect
    assert run_once() == 1
    enrollment.refresh_from_db()
    assert enrollment.push_due_at is None
    assert enrollment.lease_until is None
    # The page shows it, and a device is missing only if it did not come after its last push.
    assert enrollment.push_sent_at is not None
    assert enrollment.push_sent_at < came[0]


@pytest.mark.django_db(transaction=True)
def test_a_dead_token_ends_the_pushes_and_no_other(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    dead, alive = enrolled(tenant, 1), enrolled(tenant, 2)
    apns.faults.answers[(1).to_bytes(32)] = Answer(410, "Unregistered")
    run_once()
    dead.refresh_from_db()
    alive.refresh_from_db()
    assert (dead.push_error, dead.push_due_at) == ("Unregistered", None)
    assert (alive.push_error, alive.push_attempts) == ("", 1)
    wake([dead.device_id or 0])
    assert run_once() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [429, 503])
def test_what_apple_does_not_take_now_is_sent_again_soon(
    status: int, tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrollment = enrolled(tenant)
    apns.faults.answers[(1).to_bytes(32)] = Answer(status, "TooManyRequests")
    run_once()
    assert 0 < minutes_left(enrollment) < 0.5
    assert enrollment.push_attempts == 0


@pytest.mark.django_db(transaction=True)
def test_attempts_that_apple_does_not_take_come_less_often(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    due = [enrolled(tenant, number) for number in range(1, 7)]
    tokens = [bytes(each.token or b"") for each in due]
    with asyncio.Runner() as runner:
        push_loop = PushLoop()

        def pauses() -> list[float]:
            Enrollment.objects.update(push_due_at=timezone.now())
            assert push_loop.run_once(runner) == len(due)
            return [60 * minutes_left(each) for each in due]

        apns.faults.answers = dict.fromkeys(tokens, Answer(503, "Shutdown"))
        for longest in (10, 20, 40, 80, 160, 320, 600, 600):
            found = pauses()
            assert all(longest / 2 - 2 < pause <= longest for pause in found)
            assert max(found) - min(found) > longest / 50  # not all at once
        apns.faults.answers = dict.fromkeys(tokens, Answer(429, "TooManyRequests", headers=(("retry-after", "900"),)))
        assert all(890 < pause <= 900 for pause in pauses())
        apns.faults.answers.clear()
        pauses()
        apns.faults.answers = dict.fromkeys(tokens, Answer(503, "Shutdown"))
        assert all(pause <= 10 for pause in pauses())
        runner.run(push_loop._close())


@pytest.mark.django_db(transaction=True)
def test_a_refused_certificate_stops_the_tenant_and_is_shown(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrollment = enrolled(tenant)
    apns.faults.answers[(1).to_bytes(32)] = Answer(403, "BadCertificate")
    run_once()
    certificate.refresh_from_db()
    assert certificate.error == "BadCertificate"
    assert 9 < minutes_left(enrollment) < 11
    apns.faults.answers.clear()
    Enrollment.objects.update(push_due_at=timezone.now())
    run_once()
    certificate.refresh_from_db()
    assert certificate.error == ""


@pytest.mark.django_db(transaction=True)
def test_without_a_certificate_nothing_is_sent(tenant: Tenant, apns: SimulatedApns) -> None:
    enrollment = enrolled(tenant)
    assert run_once() == 1
    assert not apns.received
    assert 9 < minutes_left(enrollment) < 11


@pytest.mark.django_db(transaction=True)
def test_a_renewed_certificate_is_used_at_once(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns, authority: Authority
) -> None:
    enrolled(tenant)
    with asyncio.Runner() as runner:
        push_loop = PushLoop()
        push_loop.run_once(runner)
        upload(tenant, authority)
        Enrollment.objects.update(push_due_at=timezone.now())
        push_loop.run_once(runner)
        runner.run(push_loop._close())
    assert apns.connections == 2
    assert len(apns.received) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_send_the_same_push(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    for number in range(1, 41):
        enrolled(tenant, number)

    def work() -> None:
        run_once()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(each.magic for each in apns.received) == sorted(f"magic-{number}" for number in range(1, 41))


@pytest.mark.django_db(transaction=True)
def test_a_push_of_a_killed_worker_is_sent_after_its_lease(
    tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns
) -> None:
    enrollment = enrolled(tenant)
    assert loop._take()  # and the worker is gone
    assert run_once() == 0
    Enrollment.objects.filter(pk=enrollment.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert run_once() == 1


@pytest.mark.django_db(transaction=True)
def test_the_loop_runs_until_it_is_stopped(tenant: Tenant, certificate: PushCertificate, apns: SimulatedApns) -> None:
    enrollment = enrolled(tenant, push_due_at=None)
    stop = threading.Event()
    thread = threading.Thread(target=PushLoop().run, args=[stop])
    thread.start()
    try:
        wake([enrollment.device_id or 0])
        deadline = timezone.now() + timedelta(seconds=20)
        while not apns.received:
            assert timezone.now() < deadline
            stop.wait(0.05)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_no_other_worker_takes_a_push_before_the_client_gives_it_up() -> None:
    options = {name: each.default for name, each in signature(PushClient).parameters.items()}
    assert options["timeout"] == 10  # seconds for an answer
    assert options["longest_batch"] + options["timeout"] + CLOSING < loop.LEASE.total_seconds()


def test_a_device_is_woken_at_the_earliest_moment(tenant: Tenant) -> None:
    now = timezone.now()
    enrollment = enrolled(tenant, push_due_at=now + timedelta(hours=1))
    assert isinstance(enrollment.device, Device)
    wake([enrollment.device.pk], at=now)
    enrollment.refresh_from_db()
    assert enrollment.push_due_at == now
    wake([enrollment.device.pk], at=now + timedelta(hours=2))
    enrollment.refresh_from_db()
    assert enrollment.push_due_at == now
