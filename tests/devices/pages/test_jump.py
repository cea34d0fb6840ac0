"""The search over all pages: its hits, by kind and by role, in a small fleet and in a large one."""

import pytest
from django.urls import reverse

from access.audit.events import Actor
from access.models import Role, Tenant
from access.tokens.lifecycle import create_token
from devices.models import Device, Fleet, Platform
from tests.devices.pages.browsing import HTMX, NAME, SignIn, page, text
from tests.factories.access import TenantFactory
from tests.factories.devices import BlueprintFactory, CustomProfileFactory, DeviceFactory, UserFactory

pytestmark = pytest.mark.django_db
LARGE = 1_000_000


def hits(sign_in: SignIn, words: str, role: Role = Role.OWNER) -> dict[str, list[str]]:
    """The labels by their heading."""
    groups = sign_in(role).get("/jump/", {"q": words}).context["groups"]
    return {group.label: [hit.label for hit in group.hits] for group in groups}


def large(tenant: Tenant) -> None:
    Fleet.objects.update_or_create(tenant=tenant, defaults={"device_count": LARGE})


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize(
    "words", ["C02XL0GYJG5H", "c02x", "ana", "Ana\u2019s mac", "ana's mac", "mac ana@accu", "ruiz ana"]
)
def test_a_device_is_found_by_its_words(
    mac: Device, tenant: Tenant, sign_in: SignIn, words: str, is_large: bool
) -> None:
    if is_large:
        large(tenant)
    DeviceFactory.create(tenant=tenant, name="Another", serial_number="ZZZ")
    assert hits(sign_in, words)["Devices"][0] == NAME


@pytest.mark.parametrize("words", ["gyjg", "mac ruiz", "uiz"])
def test_a_part_of_a_word_is_enough(mac: Device, tenant: Tenant, sign_in: SignIn, words: str) -> None:
    assert hits(sign_in, words)["Devices"] == [NAME]
    large(tenant)
    assert hits(sign_in, words)["Devices"] == [NAME]


def test_every_word_must_match_and_another_tenant_is_left_out(mac: Device, sign_in: SignIn) -> None:
    other = TenantFactory.create()
    DeviceFactory.create(tenant=other, name="Ana in another house", serial_number="C02OTHER")
    UserFactory.create(tenant=other, name="Ana Other", email="ana@other.test")
    assert hits(sign_in, "ana")["Devices"] == [NAME]
    assert hits(sign_in, "ana")["Users"] == ["Ana Ruiz"]
    assert "Devices" not in hits(sign_in, "ana windows")


def test_the_exact_serial_number_is_first_and_alone(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    DeviceFactory.create(tenant=tenant, name="C02XL0GYJG5H is the other one", serial_number="OTHER")
    assert hits(sign_in, "c02xl0gyjg5h")["Devices"] == [NAME]


def test_an_action_is_offered_on_the_devices_that_take_it(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    DeviceFactory.create(tenant=tenant, name="Ana TV", platform=Platform.APPLE_TV)
    found = hits(sign_in, "lock ana", Role.HELP_DESK)
    assert found["Actions"] == [f"Lock: {NAME}"]
    assert hits(sign_in, "wipe ana")["Actions"] == ["Erase: Ana TV", f"Erase: {NAME}"]
    assert hits(sign_in, "delete ana")["Actions"][0] == "Delete record: Ana TV"
    assert "Actions" not in hits(sign_in, "lock")  # on which device?
    assert "Actions" not in hits(sign_in, "device ana")  # and which one of twenty?
    hit = sign_in().get("/jump/", {"q": "lock ana"}).context["groups"][0].hits[0]
    assert hit.url == page("device-action", mac, "lock")
    assert hit.dialog


@pytest.mark.parametrize("role", Role)
def test_each_role_finds_what_it_may_open(mac: Device, tenant: Tenant, sign_in: SignIn, role: Role) -> None:
    create_token(tenant=tenant, name="Lock ana", actor=Actor.command("x"))
    found = hits(sign_in, "lock ana", role)
    assert ("Actions" in found) == (role in {Role.OWNER, Role.ADMIN, Role.STANDARD, Role.HELP_DESK})
    assert ("API tokens" in found) == (role in {Role.OWNER, Role.ADMIN})
    pages = hits(sign_in, "", role)
    assert list(pages) == ["Pages"]
    assert ("API tokens" in pages["Pages"]) == (role in {Role.OWNER, Role.ADMIN})
    client = sign_in(role)
    for group in [*client.get("/jump/").context["groups"], *client.get("/jump/", {"q": "lock ana"}).context["groups"]]:
        for hit in group.hits:
            assert client.get(hit.url).status_code == 200, hit


def test_the_other_kinds(tenant: Tenant, sign_in: SignIn) -> None:
    BlueprintFactory.create(tenant=tenant, name="Green house")
    CustomProfileFactory.create(tenant=tenant, name="Wi-Fi green")
    UserFactory.create(tenant=tenant, name="Green Person", email="p@accuhive.test")
    create_token(tenant=tenant, name="Evergreen", actor=Actor.command("x"))
    revoked = create_token(tenant=tenant, name="Green and gone", actor=Actor.command("x")).token
    tenant.api_tokens.filter(pk=revoked.pk).update(revoked_at=revoked.created_at)
    assert hits(sign_in, "green") == {
        "Users": ["Green Person"],
        "Blueprints": ["Green house"],
        "Library": ["Wi-Fi green"],
        "API tokens": ["Evergreen"],
    }
    assert hits(sign_in, "list devices")["API reference"][0] == "Device list"
    assert hits(sign_in, "prism")["Pages"] == ["Prism"]
    found = sign_in().get("/jump/", {"q": "erase device"}).context["groups"]
    assert next(hit.url for group in found for hit in group.hits) == reverse(
        "reference-operation", args=["erase_device"]
    )


def test_a_kind_has_a_few_hits(tenant: Tenant, sign_in: SignIn) -> None:
    DeviceFactory.create_batch(9, tenant=tenant, name="Same")
    assert hits(sign_in, "same")["Devices"] == ["Same"] * 5 + ["Search all devices for “same”"]


def test_the_palette_gets_options_and_a_browser_the_page(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    piece = text(client.get("/jump/", {"q": "ana"}, headers=HTMX))
    assert "<html" not in piece
    assert 'role="option"' in piece
    whole = text(client.get("/jump/", {"q": "ana"}))
    assert "<html" in whole
    assert f'href="{page("device", mac)}"' in whole
    assert "Nothing was found" in text(client.get("/jump/", {"q": "xyzzy"}))


def test_the_number_of_queries_does_not_grow(
    mac: Device, tenant: Tenant, sign_in: SignIn, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    large(tenant)
    client = sign_in()
    with django_assert_max_num_queries(30):  # type: ignore[operator]
        client.get("/jump/", {"q": "one two three four five six seven eight nine ten"})
