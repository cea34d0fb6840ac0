from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.models import Role, Tenant
from devices.enrollment.ade_keys import public_key
from devices.models import AdeDevice, AdeIntegration
from tests.apple import CREDENTIALS, Apple, server_token
from tests.devices.pages.browsing import HTMX, SignIn, text
from tests.factories.devices import AdeDeviceFactory, AdeTokenFactory, BlueprintFactory, DeviceFactory, UserFactory

pytestmark = pytest.mark.django_db
SERVERS, DEVICES = "/blueprints/ade/", "/blueprints/ade/devices/"


def form(tenant: Tenant, content: bytes | None = None, **changes: Any) -> dict[str, Any]:
    file = SimpleUploadedFile("token.p7m", server_token(tenant) if content is None else content)
    return {"file": file, "destination": "routing", "email": "it@accuhive.test", "phone": "1", **changes}


def test_the_card_of_a_server_says_how_it_is(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.AUDITOR)
    assert "No servers yet" in text(client.get(SERVERS))
    server = AdeTokenFactory.create(tenant=tenant, server_name="Main", last_device_sync=timezone.now())
    AdeDeviceFactory.create(tenant=tenant, integration=server, device_family="AppleTV")
    shown = text(client.get(SERVERS))
    assert "Connected" in shown
    assert "364 days left" in shown
    assert "1 Apple TV" in shown
    assert "Renew it soon" not in shown
    assert "Add server" not in shown
    AdeIntegration.objects.update(access_token_expiry=timezone.now() + timedelta(days=29))
    assert "Renew it soon" in text(client.get(SERVERS))
    AdeIntegration.objects.update(refusal="FORBIDDEN", refused_at=timezone.now())
    shown = text(client.get(SERVERS))
    assert "Broken" in shown
    assert "Apple denies this server access" in shown


def test_the_public_key_is_a_file(tenant: Tenant, sign_in: SignIn) -> None:
    answer = sign_in(Role.STANDARD).get(f"{SERVERS}public-key/")
    assert answer.content.decode() == public_key(tenant=tenant)
    assert answer["Content-Disposition"] == "attachment;filename=accuhive-device-enrollment.pem"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_server_is_added_by_its_token_file(
    apple: Apple, tenant: Tenant, sign_in: SignIn, headers: dict[str, str]
) -> None:
    client = sign_in(Role.STANDARD)
    dialog = client.get(f"{SERVERS}new/", headers=headers).content.decode()
    assert 'enctype="multipart/form-data"' in dialog
    assert client.post(f"{SERVERS}new/", form(tenant), headers=headers).status_code in {204, 302, 200}
    integration = tenant.ade_integrations.get()
    assert (integration.server_name, integration.use_blueprint_routing) == ("Accuhive MDM", True)
    assert DBTaskResult.objects.filter(task_path__endswith="sync_ade_integration").count() == 1
    shown = text(client.get(SERVERS))
    assert "Accuhive MDM" in shown
    assert not [value for value in CREDENTIALS.values() if value in shown]


def test_a_wrong_file_is_explained(apple: Apple, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    for changes, refusal in (
        ({"content": b"nonsense"}, "This is not a server token file."),
        ({"content": b"x" * 33_000}, "A server token file has no more than 32 KB."),
        ({"email": "nobody"}, "This is no e-mail address."),
        ({"destination": "elsewhere"}, "Select a valid choice."),
    ):
        answer = client.post(f"{SERVERS}new/", form(tenant, **changes))
        assert answer.status_code == 422
        assert refusal in text(answer)
    apple.failures = [(503, "", {})] * 10
    answer = client.post(f"{SERVERS}new/", form(tenant))
    assert (answer.status_code, "did not answer. Try again later." in text(answer)) == (422, True)
    assert client.post(f"{SERVERS}new/", form(tenant, content=b"x" * 70_000)).status_code == 413
    assert not tenant.ade_integrations.exists()


def test_a_server_is_renewed_edited_synced_and_deleted(apple: Apple, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    client.post(f"{SERVERS}new/", form(tenant))
    server = tenant.ade_integrations.get()
    path = f"{SERVERS}{server.uuid}/"
    client.post(f"{path}renew/", form(tenant, phone="2"))
    blueprint = BlueprintFactory.create(tenant=tenant)
    client.post(f"{path}edit/", {"destination": str(blueprint.uuid), "email": "a@b.test", "phone": "3"})
    server.refresh_from_db()
    assert (server.blueprint, server.use_blueprint_routing, server.phone) == (blueprint, False, "3")
    tasks = DBTaskResult.objects.filter(task_path__endswith="sync_ade_integration")
    before = tasks.count()
    assert client.post(f"{path}sync/")["Location"] == SERVERS
    assert tasks.count() == before + 1
    AdeDeviceFactory.create(tenant=tenant, integration=server)
    assert "The records of 1 device go with it" in text(client.get(f"{path}delete/"))
    assert client.post(f"{path}delete/", {"typed_name": "wrong"}).status_code == 422
    client.post(f"{path}delete/", {"typed_name": server.server_name})
    assert not tenant.ade_integrations.exists()
    summaries = tenant.audit_events.filter(target_type="ade_integration").order_by("sequence")
    assert list(summaries.values_list("summary", flat=True)) == [
        "ADE integration created",
        "ADE integration renewed",
        "ADE integration updated",
        "ADE sync requested",
        "ADE integration deleted",
    ]


def test_the_list_of_devices(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.AUDITOR)
    assert "No devices from Apple yet" in text(client.get(DEVICES))
    waiting = AdeDeviceFactory.create(tenant=tenant, serial_number="C02WAITING", model="Mac mini")
    here = AdeDeviceFactory.create(
        tenant=tenant, serial_number="C02HERE", device_family="iPad", profile_status="pushed"
    )
    DeviceFactory.create(tenant=tenant, serial_number="c02here", name="Desk")
    for query, shown in (
        ({}, {"C02WAITING", "C02HERE"}),
        ({"q": "mini"}, {"C02WAITING"}),
        ({"q": "02he"}, {"C02HERE"}),
        ({"family": "iPad"}, {"C02HERE"}),
        ({"status": "pushed"}, {"C02HERE"}),
        ({"server": str(waiting.integration.uuid)}, {"C02WAITING"}),
        ({"server": "nonsense"}, set()),
    ):
        found = client.get(DEVICES, query, headers=HTMX)
        assert {serial for serial in ("C02WAITING", "C02HERE") if serial in text(found)} == shown, query
    assert "Desk" in text(client.get(DEVICES))
    assert f"{here.uuid}/edit/" not in client.get(DEVICES).content.decode()


def test_what_a_device_gets_is_edited(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.HELP_DESK)
    device = AdeDeviceFactory.create(tenant=tenant)
    own = device.blueprint
    assert own
    user = UserFactory.create(tenant=tenant, email="ann@accuhive.test")
    path = f"{DEVICES}{device.uuid}/edit/"

    def change(**fields: str) -> AdeDevice:
        answer = client.post(path, {"destination": str(own.uuid), "user": "", **fields})
        assert answer.status_code == 302, text(answer)
        return AdeDevice.objects.get()

    changed = change(user="Ann@accuhive.test", asset_tag="A-1")
    assert (changed.user, changed.asset_tag, changed.blueprint) == (user, "A-1", device.blueprint)
    routed = change(destination="routing", user="ann@accuhive.test")
    assert (routed.user, routed.asset_tag, routed.blueprint, routed.use_blueprint_routing) == (user, None, None, True)
    assert change().user is None
    assert client.post(path, {"user": "nobody@accuhive.test"}).status_code == 422
