"""Automated Device Enrollment in the API. The tests of the room are in tests/devices/enrollment."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.enrollment.ade_devices import place_arrival
from devices.enrollment.ade_keys import public_key
from devices.models import AdeDevice, AdeIntegration, Device
from tests.apple import Apple, server_token
from tests.factories.devices import (
    AdeDeviceFactory,
    AdeTokenFactory,
    BlueprintFactory,
    DeviceFactory,
    LibraryItemFactory,
    TagFactory,
    UserFactory,
)
from tests.plans import plan
from tests.types import Call, IssuedApiToken, IssueToken, Response

pytestmark = pytest.mark.django_db
ADE = "/api/v1/integrations/apple/ade"
PERMISSIONS = (
    "create_ade_integration",
    "renew_ade_integration",
    "update_ade_integration",
    "delete_ade_integration",
    "list_ade_integrations",
    "get_ade_integration",
    "list_ade_devices",
    "list_ade_integration_devices",
    "get_ade_device",
    "update_ade_device",
    "download_ade_public_key",
)
WHOLE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FRACTION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(*PERMISSIONS)


@pytest.fixture
def create(api: Call, token: IssuedApiToken, tenant: Tenant) -> Any:
    def create(path: str = f"{ADE}/", **changes: Any) -> Response:
        form = {"phone": "555 0100", "email": "it@accuhive.test", "use_blueprint_routing": "True"} | changes
        form.setdefault("file", server_token(tenant))
        return api("POST", path, token, json={name: value for name, value in form.items() if value is not None})

    return create


def test_the_public_key_is_a_pem_file(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    answer = api("GET", f"{ADE}/public_key/", token)
    assert answer["Content-Type"] == "application/x-x509-ca-cert"
    assert answer.content.decode() == public_key(tenant=tenant)
    assert answer.content.startswith(b"-----BEGIN CERTIFICATE-----\n")


def test_a_new_integration(apple: Apple, create: Any, tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Macs")
    answer = create(use_blueprint_routing="false", blueprint_id=str(blueprint.uuid))
    assert answer.status_code == 200
    body = answer.json()
    assert {key: body[key] for key in ("last_device_sync", "status_reason", "status_received_at")} == {
        "last_device_sync": None,
        "status_reason": None,
        "status_received_at": None,
    }
    assert (body["status"], body["days_left"], body["device_counts"]) == ("SUCCESS", 364, {"total": 0})
    assert body["blueprint"] == {"id": str(blueprint.uuid), "name": "Macs", "icon": "ss-layers", "color": "blue-500"}
    assert body["server_uuid"].replace("-", "").upper() == apple.account["server_uuid"]
    assert body["defaults"] == {"email": "it@accuhive.test", "phone": "555 0100"}
    assert WHOLE.fullmatch(body["access_token_expiry"])
    assert re.fullmatch(r"Accuhive MDM_Token_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_smime\.p7m", body["stoken_file_name"])
    event = tenant.audit_events.latest("sequence")
    assert (event.summary, event.target_name) == ("ADE integration created", "Accuhive MDM")


def test_its_fields_are_checked(apple: Apple, create: Any, api: Call, token: IssuedApiToken) -> None:
    for changes, refusal in (
        ({"use_blueprint_routing": "false"}, {"blueprint_id": ["Required when not using blueprint routing"]}),
        ({"blueprint_id": str(uuid4())}, {"blueprint_id": ["Leave it out when using blueprint routing"]}),
        ({"use_blueprint_routing": "", "blueprint_id": "x"}, {"use_blueprint_routing", "blueprint_id"}),
        ({"email": "nobody"}, {"email": ["Enter a valid email address."]}),
        ({"email": None, "phone": ""}, {"email", "phone"}),
        ({"file": b"no token"}, {"file"}),
        ({"file": b"x" * 40_000}, {"file": ["A server token file has no more than 32 KB."]}),
    ):
        answer = create(**changes)
        assert answer.status_code == 400
        assert (answer.json() if isinstance(refusal, dict) else set(answer.json())) == refusal
    unknown = str(uuid4())
    answer = create(use_blueprint_routing="false", blueprint_id=unknown)
    assert answer.json() == {"blueprint_id": [f'Invalid pk "{unknown}" - object does not exist.']}
    assert create(file=b"x" * 200_000).status_code == 413
    assert api("POST", f"{ADE}/", token, json={"phone": "1"}).status_code == 415
    assert not AdeIntegration.objects.exists()


def test_a_server_has_one_integration(apple: Apple, create: Any) -> None:
    assert create().status_code == 200
    assert create().json() == {"file": ["The server “Accuhive MDM” has an integration already. Renew that one."]}


def test_apple_decides_about_the_token(apple: Apple, create: Any) -> None:
    apple.refused = "T_C_NOT_SIGNED"
    (message,) = create().json()["file"]
    assert message.startswith("Apple does not accept this server token. ")
    apple.refused, apple.failures = None, [(503, "", {})] * 10
    answer = create()
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert list(answer.json()) == ["detail"]
    assert not AdeIntegration.objects.exists()


def test_a_renewal_keeps_id_and_last_sync(apple: Apple, create: Any, tenant: Tenant) -> None:
    id = create().json()["id"]
    synced = timezone.now()
    AdeIntegration.objects.update(last_device_sync=synced, refusal="FORBIDDEN", refused_at=synced, cursor="5:0")
    apple.account["org_name"] = "Accuhive Ltd"
    answer = create(f"{ADE}/{id}/renew", phone="555 0199", file=server_token(tenant, expires=timedelta(days=200)))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["id"], body["status"], body["days_left"]) == (id, "SUCCESS", 199)
    assert (body["defaults"]["phone"], body["org_name"]) == ("555 0199", "Accuhive Ltd")
    assert body["last_device_sync"] is not None
    assert AdeIntegration.objects.get().cursor == "5:0"
    apple.account |= {"server_uuid": uuid4().hex, "server_name": "Shop"}
    (message,) = create(f"{ADE}/{id}/renew").json()["file"]
    assert message.startswith("This token belongs to another server, “Shop”.")
    assert AdeIntegration.objects.get().server_name == "Accuhive MDM"


def test_the_documented_pair(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    """Case 5 of the contract: SUCCESS, and BROKEN with FORBIDDEN; with and without devices."""
    now = timezone.now()
    works = AdeTokenFactory.create(tenant=tenant, last_device_sync=now)
    broken = AdeTokenFactory.create(
        tenant=tenant, blueprint=None, use_blueprint_routing=True, refusal="FORBIDDEN", refused_at=now
    )
    for family, number in (("iPad", 1), ("Mac", 2)):
        for _ in range(number):
            AdeDeviceFactory.create(tenant=tenant, integration=works, device_family=family)
    body = api("GET", ADE, token).json()
    assert (body["count"], body["next"], body["previous"]) == (2, None, None)
    first, second = body["results"]
    assert (first["status"], first["status_reason"], first["status_received_at"]) == ("SUCCESS", None, None)
    assert list(first["device_counts"].items()) == [("Mac", 2), ("iPad", 1), ("total", 3)]
    assert FRACTION.fullmatch(first["last_device_sync"])
    assert (second["id"], second["blueprint"], second["use_blueprint_routing"]) == (str(broken.uuid), None, True)
    assert (second["status"], second["status_reason"], second["device_counts"]) == ("BROKEN", "FORBIDDEN", {"total": 0})
    assert FRACTION.fullmatch(second["status_received_at"])
    assert WHOLE.fullmatch(second["access_token_expiry"])
    assert api("GET", f"{ADE}/{works.uuid}", token).json() == first
    answer = api("GET", f"{ADE}/devices?dep_account=abc", token)
    assert (answer.status_code, answer.json()) == (400, {"dep_account": ["Enter a valid UUID."]})


def test_an_expired_token_and_one_that_was_not_copied_are_broken(
    api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    expiry = timezone.now() - timedelta(days=2)
    AdeTokenFactory.create(tenant=tenant, access_token_expiry=expiry)
    AdeTokenFactory.create(tenant=tenant, key_number=None, ciphertext=None)
    rows = api("GET", ADE, token).json()["results"]
    assert [(row["status_reason"], row["days_left"]) for row in rows] == [("EXPIRED", 0), ("TOKEN_MISSING", 364)]
    assert {row["status"] for row in rows} == {"BROKEN"}


def test_updating_the_defaults(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    integration = AdeTokenFactory.create(tenant=tenant)
    device = AdeDeviceFactory.create(tenant=tenant, integration=integration)
    path = f"{ADE}/{integration.uuid}"
    body = {"blueprint_id": None, "use_blueprint_routing": True, "phone": "1", "email": "a@b.test"}
    assert api("PATCH", path, token, json=body).json()["blueprint"] is None
    assert AdeDevice.objects.get(pk=device.pk).blueprint == integration.blueprint
    missing = api("PATCH", path, token, json={"use_blueprint_routing": True})
    assert set(missing.json()) == {"blueprint_id", "phone", "email"}


def test_deleting_it_takes_its_devices_along(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    gone, kept = AdeDeviceFactory.create(tenant=tenant), AdeDeviceFactory.create(tenant=tenant)
    enrolled = DeviceFactory.create(tenant=tenant, serial_number=gone.serial_number)
    answer = api("DELETE", f"{ADE}/{gone.integration.uuid}", token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert list(AdeDevice.objects.all()) == [kept]
    assert Device.objects.filter(pk=enrolled.pk).exists()
    assert tenant.audit_events.latest("sequence").metadata == {"devices": 1}


# --- Devices ----------------------------------------------------------------------------------------------------------


def test_a_device_row(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    user, tag = UserFactory.create(tenant=tenant), TagFactory.create(tenant=tenant, name="VIP")
    row = AdeDeviceFactory.create(tenant=tenant, serial_number="c02x", user=user, profile_push_time=timezone.now())
    enrolled = DeviceFactory.create(tenant=tenant, serial_number="C02X", tags=[tag])
    body = api("GET", f"{ADE}/devices/{row.uuid}", token).json()
    assert body["mdm_device"] == {
        "id": str(enrolled.uuid),
        "enrolled_at": "2024-05-13T20:09:27.374451Z",
        "name": enrolled.name,
        "enrollment_status": 3,
        "deferred_install": False,
        "is_missing": False,
        "is_removed": False,
    }
    assert body["tags"] == ["VIP"]
    assert body["dep_account"] == {"id": str(row.integration.uuid), "server_name": row.integration.server_name}
    assert (body["blueprint"], body["user"]) == (body["blueprint_id"], body["user_id"])
    assert (body["device_assigned_date"], body["asset_tag"]) == ("2024-05-13T20:09:27Z", None)
    assert WHOLE.fullmatch(body["profile_push_time"])
    (listed,) = api("GET", f"{ADE}/devices", token).json()["results"]
    assert listed == {key: value for key, value in body.items() if key not in {"blueprint", "user"}}


def test_pages_have_a_slash_before_the_query(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    integration = AdeTokenFactory.create(tenant=tenant)
    AdeDeviceFactory.create_batch(301, tenant=tenant, integration=integration)
    origin = tenant.api_origin
    for path in (f"{ADE}/devices", f"{ADE}/{integration.uuid}/devices"):
        first = api("GET", path, token).json()
        assert (first["count"], len(first["results"])) == (301, 300)
        assert first["next"] == f"{origin}{path}/?page=2"
        second = api("GET", first["next"].removeprefix(origin), token).json()
        assert (second["next"], second["previous"], len(second["results"])) == (None, f"{origin}{path}/", 1)
        assert api("GET", f"{path}?page=3", token).status_code == 404
    filtered = api("GET", f"{ADE}/devices?os=OSX", token).json()
    assert filtered["next"] == f"{origin}{ADE}/devices/?os=OSX&page=2"


def test_filters(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant)
    phone = AdeDeviceFactory.create(
        tenant=tenant, serial_number="F17ABC", model="iPhone 16", device_family="iPhone", os="iOS", user=user
    )
    mac = AdeDeviceFactory.create(tenant=tenant, serial_number="C02XYZ", profile_status="assigned")
    assert phone.blueprint
    named = str(phone.blueprint.uuid)
    for query, found in (
        ("serial_number=7ab", [phone]),
        ("model=iphone", [phone]),
        ("device_family=Mac", [mac]),
        ("os=iOS", [phone]),
        ("profile_status=assigned", [mac]),
        (f"user_id={user.uuid}", [phone]),
        (f"dep_account={mac.integration.uuid}", [mac]),
        (f"blueprint_id={named}", [phone]),
        (f"blueprint_id={named[3:20]}", [phone]),
        ("device_family=Watch", []),
        ("device_family=Mac&os=iOS", []),
        ("os=&model=", [phone, mac]),
    ):
        body = api("GET", f"{ADE}/devices?{query}", token).json()
        assert [row["id"] for row in body["results"]] == [str(row.uuid) for row in found], query
    assert api("GET", f"{ADE}/devices?user_id=x", token).json() == {"user_id": ["Enter a valid UUID."]}


def test_a_page_of_devices_costs_the_same_with_many(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        row = AdeDeviceFactory.create(
            tenant=tenant, serial_number=f"C02{number}", user=UserFactory.create(tenant=tenant)
        )
        DeviceFactory.create(tenant=tenant, serial_number=row.serial_number, tags=[TagFactory.create(tenant=tenant)])
    with django_assert_num_queries(5):  # the token, the count, the rows, their devices and the tags of these
        assert len(api("GET", f"{ADE}/devices", token).json()["results"]) == 20


def test_the_five_documented_changes(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    """Case 6 of the contract."""
    blueprint, user = BlueprintFactory.create(tenant=tenant), UserFactory.create(tenant=tenant)
    item = LibraryItemFactory.create(tenant=tenant)
    row = AdeDeviceFactory.create(tenant=tenant)
    assert row.blueprint
    default = str(row.blueprint.uuid)

    def change(**body: Any) -> dict[str, Any]:
        answer = api("PATCH", f"{ADE}/devices/{row.uuid}", token, json=body)
        assert answer.status_code == 200, answer.content
        values: dict[str, Any] = answer.json()
        return {key: values[key] for key in ("blueprint_id", "use_blueprint_routing")} | {
            key: values[key] for key in body if key in values
        }

    placed = {"blueprint_id": str(blueprint.uuid), "use_blueprint_routing": False}
    assert change(use_blueprint_routing=True) == {"blueprint_id": None, "use_blueprint_routing": True}
    assert change(asset_tag="A-1") == {"blueprint_id": None, "use_blueprint_routing": True, "asset_tag": "A-1"}
    assert change(blueprint_id=str(blueprint.uuid)) == placed
    assert change(override_dep_profile_id=str(item.uuid)) == placed | {"override_dep_profile_id": str(item.uuid)}
    assert change(override_dep_profile_id=None) == placed | {"override_dep_profile_id": None}
    assert change(user_id=str(user.uuid)) == placed | {"user_id": str(user.uuid)}
    assert change(user=None, asset_tag=None) == placed | {"asset_tag": None}
    assert AdeDevice.objects.get().user is None
    change(use_blueprint_routing=True)
    assert change(blueprint=str(blueprint.uuid)) == placed  # the form that older scripts send
    change(use_blueprint_routing=True)
    assert change(use_blueprint_routing=False)["blueprint_id"] == default
    assert change(blueprint_id=None) == {"blueprint_id": None, "use_blueprint_routing": False}


def test_a_change_that_is_refused(api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant) -> None:
    row = AdeDeviceFactory.create(tenant=tenant)
    foreign = {
        "blueprint_id": BlueprintFactory.create(tenant=other_tenant).uuid,
        "user_id": UserFactory.create(tenant=other_tenant).uuid,
        "override_dep_profile_id": LibraryItemFactory.create(tenant=other_tenant).uuid,
    }
    for name, id in foreign.items():
        answer = api("PATCH", f"{ADE}/devices/{row.uuid}", token, json={name: str(id)})
        assert (answer.status_code, answer.json()) == (400, {name: [f'Invalid pk "{id}" - object does not exist.']})
    assert row.blueprint
    both = {"blueprint_id": str(row.blueprint.uuid), "use_blueprint_routing": True}
    assert api("PATCH", f"{ADE}/devices/{row.uuid}", token, json=both).status_code == 400
    assert not tenant.audit_events.filter(target_type="ade_device").exists()


def test_an_enrolling_device_gets_what_its_serial_number_gets(tenant: Tenant, other_tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant)
    known = AdeDeviceFactory.create(tenant=tenant, serial_number="c02x", user=user, asset_tag="A-1")
    AdeDeviceFactory.create(tenant=other_tenant, serial_number="C02X", asset_tag="theirs")
    fallback = BlueprintFactory.create(tenant=tenant)
    device = DeviceFactory.build(tenant=tenant, blueprint=fallback, serial_number="C02X")
    assert place_arrival(device) == known
    assert (device.blueprint, device.user, device.asset_tag) == (known.blueprint, user, "A-1")
    AdeDevice.objects.filter(pk=known.pk).update(blueprint=None, use_blueprint_routing=True)
    device = DeviceFactory.build(tenant=tenant, blueprint=fallback, serial_number="C02X")
    placed = place_arrival(device)
    assert placed is not None
    assert placed.use_blueprint_routing
    assert device.blueprint == fallback
    assert place_arrival(DeviceFactory.build(tenant=tenant, blueprint=fallback, serial_number="C02Y")) is None


@pytest.mark.sqlite_only
@pytest.mark.parametrize("filters", [{}, {"device_family": "Mac"}, {"os": "OSX"}, {"profile_status": "empty"}])
def test_an_index_serves_each_list(tenant: Tenant, filters: dict[str, Any]) -> None:
    rows = tenant.ade_devices.filtered(filters).order_by("pk")[:300]
    (step,) = plan(*rows.query.get_compiler(connection=connection).as_sql())
    assert "USING INDEX ade_device_" in step  # and no step that sorts
