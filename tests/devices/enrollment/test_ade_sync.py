"""The sync with Apple's service: its changes here, when it starts again, and that only one worker runs it at a time."""

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from access.audit.events import Actor
from access.models import Tenant
from devices.enrollment import ade_profiles
from devices.enrollment.ade import Defaults, renew_integration, update_integration
from devices.enrollment.ade_keys import open_server_token, put_server_token, rewrap
from devices.enrollment.ade_keys import server_token as stored_token
from devices.enrollment.ade_lease import Lease, LeaseLost
from devices.enrollment.ade_sync import sync_ade_integration, sync_ade_integrations
from devices.models import AdeDevice, AdeIntegration
from tests.apple import CREDENTIALS, Apple, device, server_token
from tests.factories.devices import BlueprintFactory, PushCertificateFactory
from tests.types import RunTasks

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("test")


def sync(integration: AdeIntegration) -> None:
    sync_ade_integration.func(integration.pk)
    integration.refresh_from_db()


def serials(integration: AdeIntegration) -> list[str]:
    return sorted(integration.devices.values_list("serial_number", flat=True))


def test_the_first_sync_fetches_every_device(apple: Apple, integration: AdeIntegration, run_tasks: RunTasks) -> None:
    apple.devices, apple.page = [device(f"C02{number}", asset_tag="A-1") for number in range(5)], 2
    run_tasks()
    integration.refresh_from_db()
    assert serials(integration) == [f"C02{number}" for number in range(5)]
    row = integration.devices.first()
    assert row is not None
    assert (row.blueprint, row.use_blueprint_routing, row.asset_tag) == (integration.blueprint, False, "A-1")
    assert (row.device_family, row.os, row.profile_status) == ("Mac", "OSX", "empty")
    assert integration.last_device_sync is not None
    assert integration.leased_until is None
    assert apple.paths() == ["/account"] + ["/server/devices"] * 3


def test_later_syncs_ask_for_changes(apple: Apple, integration: AdeIntegration) -> None:
    apple.devices = [device("C02A"), device("C02B")]
    sync(integration)
    apple.change("added", device("C02C"))
    apple.change("modified", device("C02A", profile_status="pushed", profile_push_time="2026-02-02T10:00:00Z"))
    apple.change("deleted", device("C02B"))
    sync(integration)
    assert serials(integration) == ["C02A", "C02C"]
    changed = integration.devices.get(serial_number="C02A")
    assert changed.profile_status == "pushed"
    assert changed.profile_push_time is not None
    assert apple.paths() == ["/account", "/server/devices", "/devices/sync"]
    event = integration.tenant.audit_events.latest("sequence")
    assert (event.summary, event.metadata) == ("ADE devices synced", {"added": 1, "changed": 1, "removed": 1})
    before = integration.tenant.audit_events.count()
    sync(integration)
    assert integration.tenant.audit_events.count() == before  # nothing changed, so there is no event


def test_of_several_changes_the_last_one_counts(apple: Apple, integration: AdeIntegration) -> None:
    apple.devices = [device("C02A")]
    sync(integration)
    apple.change("added", device("C02B"), "2026-02-03T00:00:00Z")
    apple.change("deleted", device("C02B"), "2026-02-02T00:00:00Z")
    apple.change("modified", device("C02A", color="GOLD"), "2026-02-05T00:00:00Z")
    sync(integration)
    apple.change("deleted", device("C02A"), "2026-02-04T00:00:00Z")  # older than the change that is already known
    sync(integration)
    assert serials(integration) == ["C02A", "C02B"]


@pytest.mark.parametrize("answer", ["EXPIRED_CURSOR", '"INVALID_CURSOR"'])
def test_an_expired_cursor_fetches_the_list_anew(apple: Apple, integration: AdeIntegration, answer: str) -> None:
    apple.devices = [device("C02A"), device("C02B")]
    sync(integration)
    kept = integration.devices.get(serial_number="C02A")
    AdeDevice.objects.filter(pk=kept.pk).update(asset_tag="ours")
    apple.devices = [device("C02A"), device("C02C")]  # no sync has listed these changes
    apple.failures = [(200, {"auth_session_token": "x"}, {}), (400, answer, {})]  # type: ignore[list-item]
    apple.session = "x"
    sync(integration)
    assert serials(integration) == ["C02A", "C02C"]
    assert integration.devices.get(pk=kept.pk).asset_tag == "ours"
    assert integration.fetch_started_at is None


def test_a_fetch_that_was_interrupted_goes_on(apple: Apple, integration: AdeIntegration) -> None:
    apple.devices, apple.page = [device(f"C02{number}") for number in range(4)], 2
    original, answered = apple.answer, list[str]()

    def failing(method: str, path: str, headers: Any, body: Any) -> Any:
        answered.append(path)
        return (503, "", {}) if answered.count("/server/devices") > 1 else original(method, path, headers, body)

    apple.answer = failing  # type: ignore[method-assign]
    sync(integration)
    assert serials(integration) == ["C020", "C021"]
    assert (integration.last_device_sync, integration.leased_until) == (None, None)
    apple.answer = original  # type: ignore[method-assign]
    apple.calls.clear()
    sync(integration)
    assert serials(integration) == [f"C02{number}" for number in range(4)]
    assert [body["cursor"] for path, body in apple.calls if path == "/server/devices"] == ["2:0"]


def test_a_fetch_that_had_listed_everything_is_done(apple: Apple, integration: AdeIntegration) -> None:
    apple.devices = [device("C02A")]
    sync(integration)
    AdeIntegration.objects.update(fetch_started_at=timezone.now())
    sync(integration)
    assert serials(integration) == []  # only the end of the fetch was seen, and it did not list the device
    assert integration.fetch_started_at is None


def test_a_page_that_names_itself_as_the_next_ends_the_sync(
    apple: Apple, integration: AdeIntegration, caplog: pytest.LogCaptureFixture
) -> None:
    sync(integration)
    page: Any = {"devices": [], "cursor": integration.cursor, "more_to_follow": True}
    apple.failures = [(200, {"auth_session_token": "x"}, {}), (200, page, {})]  # type: ignore[list-item]
    sync(integration)
    assert "the same page again and again" in caplog.text


def test_a_device_that_moved_to_another_server_moves_here(
    apple: Apple, integration: AdeIntegration, tenant: Tenant
) -> None:
    apple.devices = [device("C02A")]
    sync(integration)
    shop = BlueprintFactory.create(tenant=tenant, name="Shop")
    other = AdeIntegration.objects.get(pk=integration.pk)
    other.pk, other.uuid, other.server_uuid, other.server_name = None, uuid4(), uuid4(), "Shop"
    other.blueprint, other.cursor = shop, ""
    put_server_token(other, stored_token(integration) or pytest.fail("no token"))
    other.save(force_insert=True)
    sync(other)
    assert (serials(integration), serials(other)) == ([], ["C02A"])
    assert other.devices.get().blueprint == shop
    apple.change("deleted", device("C02A"))  # the first server's list of the same move
    sync(integration)
    assert serials(other) == ["C02A"]


def test_new_defaults_are_for_devices_that_come_later(
    apple: Apple, integration: AdeIntegration, tenant: Tenant
) -> None:
    apple.devices = [device("C02A")]
    sync(integration)
    before = integration.blueprint
    routed = Defaults(blueprint_id=None, use_blueprint_routing=True, email="it@accuhive.test", phone="1")
    update_integration(tenant=tenant, integration_id=integration.uuid, defaults=routed, actor=ACTOR)
    apple.change("added", device("C02B"))
    sync(integration)
    assert list(integration.devices.order_by("serial_number").values_list("blueprint", "use_blueprint_routing")) == [
        (before and before.pk, False),
        (None, True),
    ]


@pytest.mark.parametrize(
    ("body", "reason"), [("FORBIDDEN", "FORBIDDEN"), ("T_C_NOT_SIGNED", "T_C_NOT_SIGNED"), (None, "UNAUTHORIZED")]
)
def test_a_refused_token_breaks_the_integration(
    apple: Apple, integration: AdeIntegration, body: str | None, reason: str
) -> None:
    sync(integration)
    synced_at = integration.last_device_sync
    apple.refused = body
    if body is None:
        apple.credentials = {**CREDENTIALS, "access_token": "another"}
        apple.session = ""
    sync(integration)
    since = integration.refused_at
    assert integration.broken == (reason, since)
    assert (integration.status, integration.last_device_sync) == ("BROKEN", synced_at)
    sync(integration)
    assert integration.refused_at == since  # a repeated refusal is still one event
    assert integration.tenant.audit_events.filter(summary="Apple refused the server token").count() == 1
    apple.refused, apple.credentials = None, CREDENTIALS
    sync(integration)
    assert (integration.status, integration.broken) == ("SUCCESS", None)


def test_an_outage_breaks_nothing(apple: Apple, integration: AdeIntegration, caplog: pytest.LogCaptureFixture) -> None:
    apple.failures = [(503, "", {})] * 50
    sync(integration)
    assert (integration.status, integration.leased_until) == ("SUCCESS", None)
    assert "Apple's service answered 503" in caplog.text


def test_one_worker_at_a_time(apple: Apple, integration: AdeIntegration) -> None:
    lease = Lease.take(integration.pk)
    assert lease is not None
    assert Lease.take(integration.pk) is None
    apple.calls.clear()
    sync(integration)
    assert apple.calls == []
    lease.give_back()
    sync(integration)
    assert apple.paths() == ["/server/devices"]


def test_a_worker_that_was_frozen_writes_nothing(integration: AdeIntegration) -> None:
    frozen = Lease.take(integration.pk)
    assert frozen is not None
    AdeIntegration.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    taken = Lease.take(integration.pk)
    assert taken is not None
    with pytest.raises(LeaseLost):
        frozen.locked()
    frozen.give_back()  # the other worker keeps its lease
    assert Lease.take(integration.pk) is None
    taken.locked()


def test_a_renewed_token_is_not_blamed_for_the_old_one(
    apple: Apple, integration: AdeIntegration, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = Defaults(blueprint_id=None, use_blueprint_routing=True, email="it@accuhive.test", phone="1")
    lease = Lease.take(integration.pk)
    assert lease is not None
    renew_integration(
        tenant=tenant, integration_id=integration.uuid, content=server_token(tenant), defaults=defaults, actor=ACTOR
    )
    monkeypatch.setattr(Lease, "take", lambda pk: lease)
    apple.refused = "FORBIDDEN"
    sync(integration)
    assert integration.status == "SUCCESS"


def test_every_usable_integration_is_synced_by_a_task_of_its_own(
    apple: Apple, integration: AdeIntegration, tenant: Tenant, run_tasks: RunTasks
) -> None:
    run_tasks()
    apple.calls.clear()
    sync_ade_integrations.enqueue()
    assert run_tasks() == 2
    assert apple.paths() == ["/devices/sync"]
    for hindrance in ({"access_token_expiry": timezone.now()}, {"ciphertext": None}):
        AdeIntegration.objects.update(**hindrance)
        sync_ade_integrations.enqueue()
        assert run_tasks() == 1, hindrance


def test_an_integration_that_was_deleted_is_not_synced(apple: Apple, integration: AdeIntegration) -> None:
    pk = integration.pk
    integration.delete()
    apple.calls.clear()
    sync_ade_integration.func(pk)
    assert apple.calls == []


# --- Enrollment profiles ----------------------------------------------------------------------------------------------


@pytest.fixture
def profile_url(settings: Any) -> None:
    settings.IRU_ADE_PROFILE_URL = "https://mdm.test/{subdomain}/enroll"


def test_a_tenant_that_can_wake_devices_has_them_enroll_at_its_own_host(
    apple: Apple, integration: AdeIntegration, tenant: Tenant
) -> None:
    PushCertificateFactory.create(tenant=tenant)
    apple.devices = [device("C02A")]
    sync(integration)
    (profile,) = apple.profiles
    assert profile["url"] == "http://accuhive.mdm.iru.test/enroll"
    assert profile["await_device_configured"] is True
    assert integration.devices.get().profile_status == "assigned"


@pytest.mark.parametrize("why", ["no certificate", "expired", "simulated", "off"])
def test_no_profile_is_assigned_that_would_lead_nowhere(
    apple: Apple, integration: AdeIntegration, tenant: Tenant, settings: Any, why: str
) -> None:
    if why != "no certificate":
        expiry = timezone.now() + timedelta(days=-1 if why == "expired" else 1)
        PushCertificateFactory.create(tenant=tenant, simulated=why == "simulated", not_after=expiry)
    settings.IRU_ADE_PROFILE_URL = "off" if why == "off" else ""
    apple.devices = [device("C02A")]
    sync(integration)
    assert apple.profiles == []
    assert "/profile/devices" not in apple.paths()


@pytest.mark.usefixtures("profile_url")
def test_a_device_gets_the_profile_once(apple: Apple, integration: AdeIntegration) -> None:
    apple.devices = [device("C02A")]
    sync(integration)
    (profile,) = apple.profiles
    assert profile["url"] == "https://mdm.test/accuhive/enroll"
    assert profile["await_device_configured"] is False  # that server may not know of it
    assert profile["support_email_address"] == "it@accuhive.test"
    row = integration.devices.get()
    assert (row.profile_status, row.last_assignment_status, row.failed_assignment_attempts) == (
        "assigned",
        "SUCCESS",
        0,
    )
    assert row.profile_assign_time is not None
    sync(integration)
    assert apple.paths().count("/profile/devices") == 1
    apple.change("modified", device("C02A", profile_status="removed"))
    sync(integration)
    assert apple.paths().count("/profile/devices") == 2
    assert len(apple.profiles) == 1


@pytest.mark.usefixtures("profile_url")
def test_a_profile_that_changed_is_defined_again(apple: Apple, integration: AdeIntegration, tenant: Tenant) -> None:
    apple.devices = [device("C02A")]
    sync(integration)
    other = Defaults(blueprint_id=None, use_blueprint_routing=True, email="help@accuhive.test", phone="2")
    update_integration(tenant=tenant, integration_id=integration.uuid, defaults=other, actor=ACTOR)
    sync(integration)
    assert [profile["support_phone_number"] for profile in apple.profiles] == ["555 0100", "2"]
    assert integration.devices.get().profile_uuid == integration.profile_uuid == f"{2:032X}"


@pytest.mark.usefixtures("profile_url")
def test_a_failed_assignment_is_tried_again_and_later_once_a_day(apple: Apple, integration: AdeIntegration) -> None:
    apple.devices = [device("C02A"), device("C02B")]
    apple.assignments = {"C02A": "NOT_ACCESSIBLE", "C02B": "THROTTLED"}
    for _ in range(ade_profiles.MOST_ATTEMPTS + 2):
        sync(integration)
    failing, throttled = integration.devices.order_by("serial_number")
    assert (failing.failed_assignment_attempts, failing.last_assignment_status) == (5, "NOT_ACCESSIBLE")
    assert (throttled.failed_assignment_attempts, throttled.profile_status) == (0, "empty")
    asked = [body["devices"] for path, body in apple.calls if path == "/profile/devices"]
    assert [len(each) for each in asked] == [2] * 5 + [1] * 2
    AdeDevice.objects.update(assignment_status_received_at=timezone.now() - timedelta(days=2))
    apple.assignments = {}
    sync(integration)
    assert not integration.devices.exclude(profile_status="assigned", failed_assignment_attempts=0).exists()


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_the_token_is_nowhere_in_clear(
    apple: Apple, integration: AdeIntegration, caplog: pytest.LogCaptureFixture
) -> None:
    apple.failures = [(503, "", {})]
    with caplog.at_level(logging.DEBUG):
        sync(integration)
    rows = [model._base_manager.values_list() for model in (AdeIntegration, AdeDevice)]
    events = integration.tenant.audit_events.values_list("changes", "new_state", "metadata", "summary")
    text = f"{[list(each) for each in rows]} {list(events)} {caplog.text}"
    assert not [value for value in CREDENTIALS.values() if value in text]


def test_rewrap_covers_the_private_key_and_the_token(
    integration: AdeIntegration, tenant: Tenant, settings: Any
) -> None:
    settings.IRU_SECRET_KEYS = [f"2:{'4' * 64}", *settings.IRU_SECRET_KEYS]
    assert rewrap(limit=10) == 2
    assert rewrap(limit=10) == 0
    settings.IRU_SECRET_KEYS = settings.IRU_SECRET_KEYS[:1]
    integration.refresh_from_db()
    token = stored_token(integration)
    assert token is not None
    assert token.access_secret.get_secret_value() == CREDENTIALS["access_secret"]
    again = open_server_token(tenant=tenant, content=server_token(tenant))
    assert again.access_secret.get_secret_value() == CREDENTIALS["access_secret"]
