"""Sign-in with an OpenID Connect provider in the browser, against a provider on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import identity
from tests.browser.keyboard import tab_to, tab_to_label
from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, Visit, both_widths, once
from tests.browser.test_account import confirm_again, member, sign_in
from tests.browser.test_people import invite
from tests.identity import CLIENT, SECRET, IdentityProvider

pytestmark = pytest.mark.browser


@pytest.fixture
def provider(certificate: Path) -> Iterator[IdentityProvider]:
    with identity.serve(certificate) as served:
        yield served


@pytest.fixture
def owner(signed_in: Visit, server: Server) -> Iterator[Page]:
    """The owner's page. What a test set up is removed after it."""
    page = signed_in()
    yield page
    server.manage("shell", "-v0", "-c", "from access.models import IdentityProvider as P; P.objects.all().delete()")


def set_up(page: Page, provider: IdentityProvider, *, required: bool = False) -> None:
    page.goto("/access/people/")
    page.get_by_role("link", name="Set up single sign-on").click()
    page.get_by_label("Name", exact=True).fill("Okta")
    page.get_by_label("Issuer").fill(provider.issuer)
    page.get_by_label("Client ID").fill(CLIENT)
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_label("Everybody signs in with it").set_checked(required)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Single sign-on is saved.")).to_be_visible()


def remove(page: Page) -> None:
    page.goto("/access/people/")
    page.get_by_role("link", name="Remove single sign-on").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Single sign-on is removed.")).to_be_visible()


def test_from_an_invitation_to_a_confirmed_step(
    owner: Page, visit: Visit, server: Server, provider: IdentityProvider
) -> None:
    invite(owner, "Odile", "odile@accuhive.example", "Admin")
    set_up(owner, provider)
    provider.claims = {"sub": "odile", "email": "odile@accuhive.example"}
    page = visit(ignore_https_errors=True)
    page.goto("/sign-in/?next=/account/")
    page.get_by_role("link", name="Sign in with Okta").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    confirm_again(page, server, "odile@accuhive.example")
    page.goto("/access/tokens/")
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_label("Name", exact=True).fill("Confirmed elsewhere")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Confirm with Okta").click()
    expect(opened.value.get_by_role("heading", name="Confirmed")).to_be_visible()
    opened.value.close()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_visible()
    remove(owner)


@pytest.mark.complaints("403 /sign-in/sso/accuhive/callback/", "403 /sign-in/")
def test_strangers_and_passwords_stay_outside(
    owner: Page, visit: Visit, server: Server, provider: IdentityProvider
) -> None:
    member(lambda **_: owner, person := visit(), server, "Petra")
    set_up(owner, provider, required=True)
    provider.claims = {"sub": "stranger", "email": "stranger@accuhive.example"}
    page = visit(ignore_https_errors=True)
    page.goto("/sign-in/")
    page.get_by_role("link", name="Sign in with Okta").click()
    expect(page.get_by_text("Your address is not known in this organization.")).to_be_visible()
    person.context.clear_cookies()
    sign_in(person, "petra@accuhive.example")
    expect(person.get_by_role("heading", name="Single sign-on is required")).to_be_visible()


def test_with_the_keyboard_alone_and_without_javascript(
    owner: Page, signed_in: Visit, visit: Visit, provider: IdentityProvider
) -> None:
    plain = signed_in(java_script_enabled=False)
    set_up(plain, provider)
    remove(plain)
    owner.goto("/access/people/")
    owner.wait_for_load_state("networkidle")
    tab_to_label(owner, "Set up single sign-on")
    owner.keyboard.press("Enter")
    expect(owner.get_by_role("heading", name="Single sign-on")).to_be_focused()
    owner.wait_for_load_state("networkidle")
    for value in ("Okta", provider.issuer, CLIENT, SECRET):
        owner.keyboard.press("Tab")
        owner.keyboard.type(value)
    tab_to(owner, "dialog button[type=submit]")
    owner.keyboard.press("Enter")
    expect(owner.get_by_text("Single sign-on is saved.")).to_be_visible()
    provider.claims = {"sub": "owner", "email": "owner@accuhive.example"}
    page = visit(ignore_https_errors=True, java_script_enabled=False)
    page.goto("/sign-in/")
    page.get_by_role("link", name="Sign in with Okta").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@once
@both_widths
@pytest.mark.complaints("422 /access/people/provider/", "403 /sign-in/sso/nowhere/", "422 /sign-in/sso/")
def test_axe_finds_nothing(signed_in: Visit, visit: Visit, owner: Page, provider: IdentityProvider, width: int) -> None:
    inside, outside = signed_in(width=width), visit(width=width)
    check, theirs = Checker(inside), Checker(outside)
    inside.goto("/access/people/")
    inside.get_by_role("link", name="Set up single sign-on").click()
    expect(inside.get_by_label("Issuer")).to_be_visible()
    check("set up")
    inside.get_by_role("button", name="Save").click()
    expect(inside.get_by_text("Enter the issuer.")).to_be_visible()
    check("set up, refused")
    set_up(inside, provider)
    check("list")
    outside.goto("/sign-in/")
    theirs("sign in")
    outside.goto("/sign-in/sso/")
    theirs("organization")
    outside.get_by_role("button", name="Continue").click()
    expect(outside.get_by_text("Enter your organization")).to_be_visible()
    theirs("organization, refused")
    outside.goto("/sign-in/sso/nowhere/")
    theirs("failed")
    assert check.found + theirs.found == []
