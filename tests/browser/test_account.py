"""Two-step verification and one's own sessions in the browser, with Chromium's virtual authenticator."""

import base64

import pytest
from playwright.sync_api import Page, expect

from tests.browser.keyboard import tab_to, tab_to_label
from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, Visit, both_widths, once
from tests.browser.test_people import PASSWORD, choose, invite, join
from tests.factories.access import code_of

pytestmark = pytest.mark.browser


def with_authenticator(page: Page) -> Page:
    """The page on a device that keeps passkeys, and whose user confirms each with a finger."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return page


def member(signed_in: Visit, page: Page, server: Server, name: str, level: str = "Admin") -> str:
    """A person of the team, who signs in on `page`. Their address."""
    email = f"{name.lower()}@accuhive.example"
    invite(signed_in(), name, email, level)
    join(page, server, email)
    return email


def set_up_app(page: Page) -> tuple[bytes, list[str]]:
    """Set up an authenticator app on the account page; its secret and the recovery codes."""
    page.goto("/account/")
    page.get_by_role("link", name="Set up an authenticator app").click()
    key = base64.b32decode(page.locator("code").first.inner_text().replace(" ", ""))
    page.get_by_label("Code").fill(code_of(key))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", name="Store your recovery codes")).to_be_visible()
    page.get_by_role("button", name="Show recovery codes").click()
    codes = page.get_by_label("Recovery codes", exact=True).input_value().split()
    page.get_by_label("I have stored the codes").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Set up just now")).to_be_visible()
    return key, codes


def add_passkey(page: Page, name: str) -> None:
    """Add the first passkey of the person on the account page, which shows recovery codes."""
    page.goto("/account/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Store your recovery codes")).to_be_visible()


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    page.context.clear_cookies(name="session")


def confirm_again(page: Page, server: Server, email: str) -> None:
    """Let ten minutes pass for the sessions of the person."""
    server.manage("shell", "-v0", "-c", AGED.format(email=email))


AGED = """
from access.sign_in.sessions import AUTHENTICATED_AT, SessionStore
from access.models import Session
for row in Session.objects.filter(person__email="{email}"):
    data = SessionStore().decode(row.session_data)
    row.session_data = SessionStore().encode({{**data, AUTHENTICATED_AT: 0}})
    row.save()
"""


def test_an_authenticator_app_and_recovery_codes(signed_in: Visit, visit: Visit, server: Server) -> None:
    page = visit()
    email = member(signed_in, page, server, "Tova")
    key, codes = set_up_app(page)
    assert len(codes) == 10
    expect(page.get_by_text("10 of 10 left")).to_be_visible()

    sign_out(page)
    sign_in(page, email)
    expect(page.get_by_role("heading", name="Two-step verification")).to_be_visible()
    page.goto("/devices/")
    expect(page.get_by_role("heading", name="Two-step verification")).to_be_visible()
    page.get_by_role("link", name="Start again").click()
    sign_in(page, email)
    page.get_by_label("Code").fill(code_of(key, periods=1))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    sign_out(page)
    sign_in(page, email)
    page.get_by_label("Code").fill(codes[0].lower())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto("/account/")
    expect(page.get_by_text("9 of 10 left")).to_be_visible()

    page.get_by_role("link", name="Make new codes").click()
    page.get_by_role("button", name="Make new codes").click()
    page.get_by_role("button", name="Show recovery codes").click()
    again = page.get_by_label("Recovery codes", exact=True).input_value().split()
    assert not set(again) & set(codes)
    page.get_by_label("I have stored the codes").check()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("link", name="Remove the authenticator app").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Not set up")).to_be_visible()


def test_a_passkey_signs_in_and_confirms(signed_in: Visit, visit: Visit, server: Server) -> None:
    page = with_authenticator(visit())
    email = member(signed_in, page, server, "Pia")
    add_passkey(page, "My laptop")
    page.get_by_label("I have stored the codes").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("My laptop", exact=True)).to_be_visible()

    sign_out(page)
    page.goto("/sign-in/?next=/account/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_text("last used just now")).to_be_visible()

    sign_out(page)
    sign_in(page, email)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    confirm_again(page, server, email)
    page.goto("/access/tokens/")
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_label("Name", exact=True).fill("Confirmed by a passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("Confirmed with a passkey.")).to_be_visible()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_visible()


@pytest.mark.complaints("422 /sign-in/passkey/")
def test_a_passkey_that_was_removed_does_not_sign_in(signed_in: Visit, visit: Visit, server: Server) -> None:
    page = with_authenticator(visit())
    email = member(signed_in, page, server, "Rea")
    add_passkey(page, "Lost")

    owner = signed_in()
    choose(owner, "Rea", "Manage authenticators")
    owner.get_by_label("Passkey “Lost”").check()
    owner.get_by_role("button", name="Remove").click()
    expect(owner.get_by_text("is signed out, and can sign in without")).to_be_visible()
    page.goto("/sign-in/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("This passkey was not accepted")).to_be_visible()
    sign_in(page, email)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_own_sessions_are_listed_and_ended(signed_in: Visit, visit: Visit, server: Server) -> None:
    page, phone = visit(), visit(user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/604.1")
    email = member(signed_in, page, server, "Sena")
    sign_in(phone, email)
    expect(phone.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto("/account/")
    page.get_by_role("button", name="Sign out Safari on iPhone").click()
    expect(page.get_by_text("That browser is signed out.")).to_be_visible()
    phone.goto("/devices/")
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(phone, email)
    page.get_by_role("link", name="Sign out everywhere").click()
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    phone.goto("/devices/")
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.complaints("422 /account/authenticators/*/remove/")
def test_an_organization_that_requires_two_steps(signed_in: Visit, visit: Visit, server: Server) -> None:
    page, owner = visit(), signed_in()
    member(signed_in, page, server, "Ruth", "Standard")
    server.manage("shell", "-v0", "-c", RULE.format(required=True))
    try:
        page.goto("/devices/")
        expect(page.get_by_text("Two-step verification is required here.")).to_be_visible()
        set_up_app(page)
        page.goto("/devices/")
        expect(page.get_by_role("heading", name="Devices", exact=True)).to_be_visible()
        page.goto("/account/")
        page.get_by_role("link", name="Remove the authenticator app").click()
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Two-step verification is required here. Add another")).to_be_visible()
    finally:
        server.manage("shell", "-v0", "-c", RULE.format(required=False))
    owner.goto("/access/people/")
    expect(owner.get_by_text("Two-step verification is optional")).to_be_visible()


RULE = "from access.models import Tenant; Tenant.objects.update(second_step_required={required})"


@pytest.mark.complaints("422 /account/app/")
def test_with_the_keyboard_alone(signed_in: Visit, visit: Visit, server: Server) -> None:
    page = visit()
    email = member(signed_in, page, server, "Kim")
    page.goto("/account/")
    tab_to_label(page, "Set up an authenticator app")
    page.keyboard.press("Enter")
    expect(page.locator("#dialog-title")).to_be_focused()
    page.wait_for_load_state("networkidle")  # htmx gives the heading the focus a second time
    key = base64.b32decode(page.locator("code").first.inner_text().replace(" ", ""))
    tab_to(page, "[name=code]")
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not the code")).to_be_visible()
    expect(page.locator("[name=code]")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(code_of(key))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Store your recovery codes")).to_be_focused()
    page.wait_for_load_state("networkidle")
    tab_to_label(page, "I have stored the codes")
    page.keyboard.press("Space")
    tab_to(page, "[data-next]")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Set up just now")).to_be_visible()
    sign_out(page)
    page.goto("/sign-in/")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(code_of(key, periods=1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_without_javascript(signed_in: Visit, visit: Visit, server: Server) -> None:
    page = visit(java_script_enabled=False)
    email = member(signed_in, page, server, "Nils")
    page.goto("/account/")
    expect(page.get_by_text("Add a passkey")).to_be_hidden()
    page.get_by_role("link", name="Set up an authenticator app").click()
    key = base64.b32decode(page.locator("code").first.inner_text().replace(" ", ""))
    page.get_by_label("Code").fill(code_of(key))
    page.get_by_role("button", name="Set up").click()
    page.locator("details summary").click()
    codes = page.locator("details code").inner_text().split()
    assert len(codes) == 10
    page.get_by_label("I have stored the codes").check()
    page.get_by_role("button", name="Done").click()
    sign_out(page)
    sign_in(page, email)
    expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_signing_in_again_over_the_editor_takes_the_second_step(signed_in: Visit, visit: Visit, server: Server) -> None:
    page = visit()
    member(signed_in, page, server, "Edda")
    key, _ = set_up_app(page)
    page.goto("/access/tokens/")
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_label("Name", exact=True).fill("Edited by Edda")
    page.get_by_role("button", name="Create").click()
    page.get_by_label("I have copied the token").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("link", name="Configure").click()
    page.get_by_label("Device list").check()
    sign_out(page)
    page.get_by_role("button", name="Save").first.click()
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in and save").click()
    page.get_by_role("textbox", name="Code").fill(code_of(key, periods=1))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status").filter(has_text="has 1 of")).to_be_visible()


@once
@both_widths
@pytest.mark.complaints("422 /sign-in/second-step/", "422 /account/app/", "422 /account/recovery-codes/")
def test_axe_finds_nothing(signed_in: Visit, visit: Visit, server: Server, width: int) -> None:
    page = with_authenticator(visit(width=width))
    email = member(signed_in, page, server, f"Axel{width}")
    check = Checker(page)
    page.goto("/account/")
    check("account")
    page.get_by_role("link", name="Set up an authenticator app").click()
    check("app")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("This is not the code")).to_be_visible()
    check("app refused")
    key = base64.b32decode(page.locator("code").first.inner_text().replace(" ", ""))
    page.get_by_label("Code").fill(code_of(key))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", name="Store your recovery codes")).to_be_visible()
    check("codes")
    page.get_by_role("button", name="Show recovery codes").click()
    check("codes shown")
    page.get_by_label("I have stored the codes").check()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_label("Name")).to_be_visible()
    check("passkey")
    page.get_by_label("Name").fill("A passkey with quite a long name, as people write them who have several of them")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Another passkey")).to_be_visible()
    check("account with everything")
    confirm_again(page, server, email)
    page.get_by_role("link", name="Make new codes").click()
    expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
    check("confirmation")
    page.get_by_label("Confirm your password").fill("not it")
    page.get_by_role("button", name="Make new codes").click()
    expect(page.get_by_text("That is not your password.")).to_be_visible()
    check("confirmation refused")
    page.goto("/account/")
    page.get_by_role("link", name="Sign out everywhere").click()
    check("sign out everywhere")
    sign_out(page)
    sign_in(page, email)
    expect(page.get_by_label("Code")).to_be_visible()
    check("second step")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This code is wrong")).to_be_visible()
    check("second step refused")
    owner = signed_in(width=width)
    theirs = Checker(owner)
    choose(owner, f"Axel{width}", "Manage authenticators")
    theirs("manage authenticators")
    owner.goto("/access/people/")
    owner.get_by_role("link", name="Change two-step verification").click()
    expect(owner.get_by_label("Required for everyone")).to_be_visible()
    theirs("rule")
    assert check.found + theirs.found == []
