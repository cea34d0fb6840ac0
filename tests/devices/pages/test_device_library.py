"""The Library on the page of a device, and the retries there and on the page of an item."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access.models import AuditEvent, Role, Tenant
from devices.library.profiles import update_profile
from devices.models import Device, DeviceItem, Enrollment, LibraryItem
from tests.devices.pages.browsing import HTMX, SignIn, text
from tests.devices.sending import ACTOR
from tests.factories.devices import (
    PROFILE,
    AssignmentFactory,
    CustomProfileFactory,
    CustomScriptFactory,
    LibraryStatusFactory,
)

pytestmark = pytest.mark.django_db
State = DeviceItem.State
LONG = "The profile could not be installed. " * 20


@pytest.fixture
def profile(tenant: Tenant, mac: Device) -> LibraryItem:
    item = CustomProfileFactory.create(tenant=tenant, name="Dock")
    AssignmentFactory.create(blueprint=mac.blueprint, library_item=item)
    return item


@pytest.fixture
def enrollment(tenant: Tenant, mac: Device) -> Enrollment:
    now = timezone.now()
    return Enrollment.objects.create(
        tenant=tenant, device=mac, udid="A", state="enrolled", created_at=now, enrolled_at=now
    )


@pytest.fixture
def failed(profile: LibraryItem, mac: Device, enrollment: Enrollment) -> DeviceItem:
    LibraryStatusFactory.create(item=profile, device=mac, status="failed", log=LONG)
    return of(mac, profile, State.FAILED, error=LONG, attempts=2, next_at=timezone.now() + timedelta(hours=5))


def of(device: Device, item: LibraryItem, state: str, **fields: object) -> DeviceItem:
    return DeviceItem.objects.create(
        device=device,
        item=item,
        item_uuid=item.uuid,
        type=item.type,
        state=state,
        **{"wanted": "V1", **fields},
    )


def url(device: Device, rest: str = "") -> str:
    return f"/devices/{device.uuid}/library/{rest}"


def retry_url(device: Device, item: LibraryItem) -> str:
    return url(device, f"{item.uuid}/retry/")


def test_a_device_without_items_says_so(sign_in: SignIn, mac: Device) -> None:
    assert "No library items" in text(sign_in().get(url(mac)))


def test_a_failed_item_has_the_whole_error_and_the_time_of_the_next_try(
    sign_in: SignIn, mac: Device, failed: DeviceItem
) -> None:
    page = text(sign_in().get(url(mac)))
    assert "Dock" in page
    assert LONG in page
    assert "<details" in page
    assert "Tried again <time" in page
    assert "in 5 hours" in page
    assert "Retry now" in page


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        (State.WAITING, {}, "Waits until the device connects"),
        (State.WAITING, {"wanted": ""}, "Is removed when the device connects"),
        (State.SENT, {}, "Its own list says next whether it is there."),
        (State.SENT, {"wanted": ""}, "Its own list says next whether it is gone."),
        (State.FAILED, {"attempts": 4}, "Not tried again before the item changes"),
        (State.UNFIT, {"error": "This needs an agent on the Mac"}, "This needs an agent on the Mac"),
    ],
)
def test_each_state_says_what_happens_next(
    state: str,
    fields: dict[str, object],
    words: str,
    sign_in: SignIn,
    mac: Device,
    profile: LibraryItem,
    enrollment: Enrollment,
) -> None:
    of(mac, profile, state, **fields)
    if state == State.FAILED:  # with its status: without it, the item would be waiting
        LibraryStatusFactory.create(item=profile, device=mac, status="failed")
    assert words in text(sign_in().get(url(mac)))


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_an_item_that_was_edited_waits_before_the_device_is_compared_with_it(
    state: str, sign_in: SignIn, tenant: Tenant, mac: Device, profile: LibraryItem, enrollment: Enrollment
) -> None:
    of(mac, profile, state, wanted=profile.version, shown=profile.version)
    LibraryStatusFactory.create(item=profile, device=mac, status="success" if state == State.DONE else "failed")
    another = PROFILE.replace("<integer>48<", "<integer>64<").encode()
    update_profile(tenant=tenant, item_id=profile.uuid, actor=ACTOR, file=another)
    response = sign_in().get(url(mac))
    assert "Waits until the device connects" in text(response) or "It is woken" in text(response)
    assert "Retry now" not in text(response)
    assert response.context["polls"]


def test_the_push_of_the_device_says_when_it_comes(
    sign_in: SignIn, mac: Device, profile: LibraryItem, enrollment: Enrollment
) -> None:
    client = sign_in()
    Enrollment.objects.update(push_due_at=timezone.now() + timedelta(seconds=50))
    assert "It is woken <time" in text(client.get(url(mac)))
    Enrollment.objects.update(push_error="BadDeviceToken")
    assert "connects by itself" in text(client.get(url(mac)))
    Enrollment.objects.update(state=Enrollment.State.OUT)
    assert "Not enrolled with this server" in text(client.get(url(mac)))


def test_an_item_that_is_gone_from_the_library_is_listed_until_it_is_gone_from_the_device(
    sign_in: SignIn, mac: Device, failed: DeviceItem, profile: LibraryItem
) -> None:
    DeviceItem.objects.update(wanted="")
    profile.delete()
    page = text(sign_in().get(url(mac)))
    assert "Deleted item" in page
    assert "Retry now" in page


def test_the_items_are_filtered_by_status(sign_in: SignIn, mac: Device, failed: DeviceItem, tenant: Tenant) -> None:
    for number in range(60):
        script = CustomScriptFactory.create(tenant=tenant, name=f"Script {number}")
        AssignmentFactory.create(blueprint=mac.blueprint, library_item=script)
    client = sign_in()

    def titles(**query: str) -> set[str]:
        return {line.title for line in client.get(url(mac), query).context["page"].object_list}

    assert len(titles()) == 61
    assert titles(status="failed") == {"Dock"}
    assert len(titles(status="PENDING")) == 60
    assert len(titles(status="nonsense")) == 61


def test_the_page_follows_what_is_on_its_way_until_it_is_there(
    sign_in: SignIn, mac: Device, profile: LibraryItem, enrollment: Enrollment
) -> None:
    client = sign_in()
    Enrollment.objects.update(push_sent_at=timezone.now())
    row = of(mac, profile, State.WAITING)
    page = client.get(url(mac))
    assert 'hx-trigger="every 4s"' in text(page)
    asked = {"state": page.context["state"]}
    assert client.get(url(mac), asked, headers=HTMX).status_code == 204
    LibraryStatusFactory.create(item=profile, device=mac, status="success")
    DeviceItem.objects.filter(pk=row.pk).update(state=State.DONE, shown="V1")
    rows = client.get(url(mac), asked, headers=HTMX)
    assert "Success" in text(rows)
    assert "hx-trigger" not in text(rows)
    assert "<html" not in text(rows)


def test_a_page_is_not_loaded_again_for_a_device_that_does_not_come(
    sign_in: SignIn, mac: Device, profile: LibraryItem, enrollment: Enrollment
) -> None:
    now = timezone.now()
    Enrollment.objects.update(push_sent_at=now - timedelta(hours=1), push_due_at=now + timedelta(days=1))
    assert "every 4s" not in text(sign_in().get(url(mac)))


@pytest.mark.parametrize(
    ("query", "back"), [("", "/devices/{device}/library/"), ("?from=item", "/library/{item}/devices/")]
)
def test_retry_now_goes_back_to_where_it_was_pressed(
    query: str, back: str, sign_in: SignIn, mac: Device, failed: DeviceItem, profile: LibraryItem
) -> None:
    answer = sign_in(Role.HELP_DESK).post(f"{retry_url(mac, profile)}{query}", follow=True)
    assert answer.redirect_chain == [(back.format(device=mac.uuid, item=profile.uuid), 302)]
    assert "is tried again when" in text(answer)
    failed.refresh_from_db()
    assert (failed.state, failed.error) == (State.WAITING, "")


def test_an_item_that_has_not_failed_any_more_is_no_error(
    sign_in: SignIn, mac: Device, failed: DeviceItem, profile: LibraryItem
) -> None:
    client = sign_in()
    client.post(retry_url(mac, profile))
    page = client.post(retry_url(mac, profile), follow=True)
    assert "it has not failed any more" in text(page)
    assert AuditEvent.objects.filter(summary__contains="tried again").count() == 1


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SECRETS_AUDITOR])
def test_people_who_only_look_have_no_button(
    role: Role, sign_in: SignIn, mac: Device, failed: DeviceItem, profile: LibraryItem
) -> None:
    client = sign_in(role)
    for address in (url(mac), f"/library/{profile.uuid}/devices/"):
        page = text(client.get(address))
        assert LONG in page
        assert "Retry" not in page


def item_page(client: Client, item: LibraryItem) -> str:
    return text(client.get(f"/library/{item.uuid}/devices/"))


def test_all_failed_devices_of_an_item_try_again(
    sign_in: SignIn, mac: Device, failed: DeviceItem, profile: LibraryItem
) -> None:
    client = sign_in(Role.HELP_DESK)
    page = item_page(client, profile)
    for words in (LONG, "in 5 hours", "Retry now", "Retry all failed"):
        assert words in page
    address = f"/library/{profile.uuid}/devices/retry/"
    assert "It has failed on 1 device." in text(client.get(address))
    page = text(client.post(address, follow=True))
    assert "is tried again on 1 device" in page
    assert "Retry" not in page
    assert "it has not failed any more" in text(client.post(address, follow=True))
    assert "It has not failed on any device." in text(client.get(address))
