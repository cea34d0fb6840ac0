"""Every page for every role, from a table that was written by hand."""

import pytest
from django.test import Client
from django.urls import reverse

from access.models import Administrator, Role, Tenant
from access.roles import Capability, may
from devices.models import Device
from tests.devices.pages.addresses import PAGES, Examples, address, examples_of
from tests.devices.pages.browsing import SignIn
from tests.markup import elements

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

OWNER = {Role.OWNER}
ADMINS = {Role.OWNER, Role.ADMIN}
STANDARD = {*ADMINS, Role.STANDARD}
HELP_DESK = {*STANDARD, Role.HELP_DESK}
SECRETS = {*STANDARD, Role.SECRETS_AUDITOR}
EVERY_ROLE = set(Role)

# Pages that a visitor opens without a sign-in.
PUBLIC = {
    "/theme/",
    "/session/",
    "/sign-in/",
    "/sign-in/second-step/",
    "/sign-in/passkey/",
    "/sign-in/sso/",
    "/sign-in/sso/<slug:subdomain>/",
    "/sign-in/sso/<slug:subdomain>/callback/",
    "/sign-out/",
    "/suspended/",
    "/enroll/",
    "/enroll/<str:key>/",
    "/enroll/<str:key>/profile/",
    "/invitation/<str:key>/",
    "/password/reset/",
    "/password/reset/sent/",
    "/password/reset/done/",
    "/password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/",
}
# Pages about the person who opens them, open to every role and to operators.
OWN = {
    "/",
    "/account/",
    "/account/app/",
    "/account/passkeys/new/",
    "/account/authenticators/<int:authenticator_id>/remove/",
    "/account/recovery-codes/",
    "/account/confirm/",
    "/account/sessions/end/",
    "/account/sessions/<slug:session_id>/end/",
}
# The roles that may open each other page. Written by hand: a table read from the views would repeat their mistakes.
ALLOWED = {
    **dict.fromkeys(OWN, EVERY_ROLE),
    "/access/tokens/": ADMINS,
    "/access/tokens/new/": ADMINS,
    "/access/tokens/export/": ADMINS,
    "/access/tokens/disable/": ADMINS,
    "/access/tokens/revoke/": ADMINS,
    "/access/tokens/<uuid:token_id>/": ADMINS,
    "/access/tokens/<uuid:token_id>/created/": ADMINS,
    "/access/tokens/<uuid:token_id>/edit/": ADMINS,
    "/access/tokens/<uuid:token_id>/revoke/": ADMINS,
    "/access/tokens/<uuid:token_id>/rotate/": ADMINS,
    "/access/tokens/<uuid:token_id>/usage/": ADMINS,
    "/access/tokens/<uuid:token_id>/learn/": ADMINS,
    "/access/tokens/<uuid:token_id>/learn/stop/": ADMINS,
    "/access/tokens/<uuid:token_id>/end-overlap/": ADMINS,
    "/access/tokens/<uuid:token_id>/disable/": ADMINS,
    "/access/tokens/<uuid:token_id>/enable/": ADMINS,
    "/access/tokens/rule/": ADMINS,
    "/access/tokens/<uuid:token_id>/permissions/edit/": ADMINS,
    "/access/tokens/<uuid:token_id>/permissions/copy/": ADMINS,
    "/access/tokens/<uuid:token_id>/activity/": ADMINS,
    "/access/tokens/<uuid:token_id>/responsible/": ADMINS,
    "/access/people/": ADMINS,
    "/access/people/new/": ADMINS,
    "/access/people/second-step/": ADMINS,
    "/access/people/provider/": ADMINS,
    "/access/people/provider/remove/": ADMINS,
    "/access/people/<uuid:person_id>/authenticators/": OWNER,
    "/access/people/<uuid:person_id>/edit/": ADMINS,
    "/access/people/<uuid:person_id>/suspend/": ADMINS,
    "/access/people/<uuid:person_id>/unsuspend/": ADMINS,
    "/access/people/<uuid:person_id>/resend/": ADMINS,
    "/access/people/<uuid:person_id>/delete/": ADMINS,
    "/access/people/<uuid:person_id>/transfer/": ADMINS,
    "/access/webhooks/": ADMINS,
    "/access/webhooks/new/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/edit/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/delete/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/secret/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/enabled/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/test/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/": ADMINS,
    "/access/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/redeliver/": ADMINS,
    "/jump/": EVERY_ROLE,
    "/activity/": EVERY_ROLE,
    "/activity/csv/": EVERY_ROLE,
    "/activity/json/": EVERY_ROLE,
    "/overview/": EVERY_ROLE,
    "/vulnerabilities/": EVERY_ROLE,
    "/vulnerabilities/<str:cve_id>/": EVERY_ROLE,
    "/devices/": EVERY_ROLE,
    "/devices/export/": EVERY_ROLE,
    "/devices/bulk/": EVERY_ROLE,
    "/devices/bulk/commands/": HELP_DESK,
    "/devices/bulk/commands/<slug:action>/": HELP_DESK,
    "/devices/bulk/tags/add/": HELP_DESK,
    "/devices/bulk/tags/remove/": HELP_DESK,
    "/devices/bulk/user/": HELP_DESK,
    "/devices/bulk/blueprint/": HELP_DESK,
    "/devices/bulk/<uuid:bulk_action_id>/": EVERY_ROLE,
    "/devices/bulk/<uuid:bulk_action_id>/stop/": HELP_DESK,
    "/devices/bulk/<uuid:bulk_action_id>/results/": EVERY_ROLE,
    "/devices/<uuid:device_id>/": EVERY_ROLE,
    "/devices/<uuid:device_id>/apps/": EVERY_ROLE,
    "/devices/<uuid:device_id>/library/": EVERY_ROLE,
    "/devices/<uuid:device_id>/library/<uuid:item_id>/retry/": HELP_DESK,
    "/devices/<uuid:device_id>/security/": EVERY_ROLE,
    "/devices/<uuid:device_id>/commands/": EVERY_ROLE,
    "/devices/<uuid:device_id>/activity/": EVERY_ROLE,
    "/devices/<uuid:device_id>/edit/": HELP_DESK,
    "/devices/<uuid:device_id>/delete/": HELP_DESK,
    "/devices/<uuid:device_id>/notes/": EVERY_ROLE,
    "/devices/<uuid:device_id>/notes/new/": HELP_DESK,
    "/devices/<uuid:device_id>/notes/<uuid:note_id>/edit/": HELP_DESK,
    "/devices/<uuid:device_id>/notes/<uuid:note_id>/delete/": HELP_DESK,
    "/devices/<uuid:device_id>/secrets/": SECRETS,
    "/devices/<uuid:device_id>/secrets/<slug:kind>/": SECRETS,
    "/devices/<uuid:device_id>/actions/<slug:action>/": HELP_DESK,
    "/devices/<uuid:device_id>/commands/<uuid:command_id>/cancel/": HELP_DESK,
    "/devices/<uuid:device_id>/lost-mode/cancel/": HELP_DESK,
    "/blueprints/": EVERY_ROLE,
    "/blueprints/new/": STANDARD,
    "/blueprints/routing/": EVERY_ROLE,
    "/blueprints/routing/edit/": STANDARD,
    "/blueprints/routing/link/": STANDARD,
    "/blueprints/routing/link/replace/": STANDARD,
    "/blueprints/routing/profile/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/": EVERY_ROLE,
    "/blueprints/<uuid:blueprint_id>/edit/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/delete/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/required-version/<slug:family>/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/link/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/link/replace/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/profile/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/branches/add/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/branches/<uuid:branch_id>/rename/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/branches/<uuid:branch_id>/move/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/branches/<uuid:branch_id>/delete/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/branches/<uuid:branch_id>/conditions/<slug:attribute>/add/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/branches/<uuid:branch_id>/conditions/<slug:condition_key>/edit/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/branches/<uuid:branch_id>/conditions/<slug:condition_key>/remove/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/library/assign/": STANDARD,
    "/blueprints/<uuid:blueprint_id>/library/<int:assignment_id>/remove/": STANDARD,
    "/library/": EVERY_ROLE,
    "/library/export/": EVERY_ROLE,
    "/library/bulk/assign/": STANDARD,
    "/library/bulk/remove/": STANDARD,
    "/library/scripts/new/": STANDARD,
    "/library/profiles/new/": STANDARD,
    "/library/apps/custom/new/": STANDARD,
    "/library/apps/custom/upload/": STANDARD,
    "/library/apps/in-house/new/": STANDARD,
    "/library/apps/in-house/upload/": STANDARD,
    "/library/<uuid:item_id>/": EVERY_ROLE,
    "/library/<uuid:item_id>/devices/": EVERY_ROLE,
    "/library/<uuid:item_id>/devices/retry/": HELP_DESK,
    "/library/<uuid:item_id>/activity/": EVERY_ROLE,
    "/library/<uuid:item_id>/profile/": STANDARD,
    "/library/<uuid:item_id>/file/": STANDARD,
    "/library/<uuid:item_id>/icon/": EVERY_ROLE,
    "/library/apps/custom/<uuid:item_id>/edit/": STANDARD,
    "/library/apps/in-house/<uuid:item_id>/edit/": STANDARD,
    "/library/<uuid:item_id>/edit/": STANDARD,
    "/library/<uuid:item_id>/delete/": STANDARD,
    "/blueprints/ade/": EVERY_ROLE,
    "/blueprints/ade/public-key/": STANDARD,
    "/blueprints/ade/new/": STANDARD,
    "/blueprints/ade/devices/": EVERY_ROLE,
    "/blueprints/ade/devices/<uuid:ade_device_id>/edit/": HELP_DESK,
    "/blueprints/ade/<uuid:ade_token_id>/renew/": STANDARD,
    "/blueprints/ade/<uuid:ade_token_id>/edit/": STANDARD,
    "/blueprints/ade/<uuid:ade_token_id>/delete/": STANDARD,
    "/blueprints/ade/<uuid:ade_token_id>/sync/": STANDARD,
    "/prism/": EVERY_ROLE,
    "/prism/exports/": EVERY_ROLE,
    "/prism/<slug:category>/": EVERY_ROLE,
    "/prism/<slug:category>/export/": EVERY_ROLE,
    "/users/": EVERY_ROLE,
    "/users/export/": EVERY_ROLE,
    "/users/options/": EVERY_ROLE,
    "/users/<uuid:user_id>/": EVERY_ROLE,
    "/users/<uuid:user_id>/edit/": STANDARD,
    "/users/<uuid:user_id>/delete/": STANDARD,
    "/settings/authorities/<int:authority_id>/replace/": ADMINS,
    "/settings/push-certificate/": ADMINS,
    "/settings/push-certificate/request/": ADMINS,
    "/settings/push-certificate/sign/": ADMINS,
    "/settings/push-certificate/upload/": ADMINS,
    "/settings/push-certificate/import/": ADMINS,
    "/api-reference/": EVERY_ROLE,
    "/api-reference/changes/": EVERY_ROLE,
    "/api-reference/openapi.json": EVERY_ROLE,
    "/api-reference/<slug:operation_id>/": EVERY_ROLE,
    "/api-reference/<slug:operation_id>/answer/": EVERY_ROLE,
    "/api-reference/<slug:operation_id>/try/": ADMINS,
}


@pytest.fixture
def examples(tenant: Tenant) -> Examples:
    return examples_of(tenant)


def test_the_table_has_every_page() -> None:
    """A new page is written into the table by hand, with the roles that may open it."""
    assert set(PAGES) == PUBLIC | ALLOWED.keys()


@pytest.mark.parametrize("role", Role)
def test_a_role_opens_the_pages_of_the_table(role: Role, sign_in: SignIn, examples: Examples) -> None:
    client = sign_in(role)
    wrong = []
    for route, roles in ALLOWED.items():
        url = address(route, examples)
        answers = [client.get(url).status_code]
        # A page that takes no GET is posted to; and a page that refuses a role refuses every method.
        if role not in roles or answers == [405]:
            answers.append(client.post(url).status_code)
        refused = {status in {403, 405} for status in answers} == {True} and 403 in answers
        if max(answers) >= 500 or refused == (role in roles):
            wrong.append(f"{role} {route}: {answers}")
    assert not wrong, "\n".join(wrong)


def test_an_operator_opens_no_page_of_a_tenant(operator: Administrator, client: Client, examples: Examples) -> None:
    client.force_login(operator)
    assert not any(may(operator, capability) for capability in Capability)
    answers = {route: client.get(address(route, examples)).status_code for route in ALLOWED.keys() - OWN}
    assert answers == dict.fromkeys(answers, 403)


def test_a_stranger_signs_in_first(client: Client, examples: Examples) -> None:
    for route in ALLOWED:
        url = address(route, examples)
        for response in (client.get(url), client.post(url)):
            assert (response.status_code, response["Location"]) == (302, f"/sign-in/?next={url}"), route


def test_the_navigation_shows_what_the_role_may_open(sign_in: SignIn, mac: Device) -> None:
    shown = sign_in(Role.AUDITOR).get("/", follow=True)
    assert shown.redirect_chain[-1][0] == reverse("overview")
    content = shown.content.decode()
    sections = ["overview", "devices", "blueprints", "library", "prism", "vulnerabilities", "users", "api-reference"]
    places = [content.index(f'href="/{section}/"') for section in sections]
    assert places == sorted(places)


def test_the_access_property_agrees_with_the_capability(tenant: Tenant) -> None:
    for role in Role:
        person = Administrator(tenant=tenant, role=role)
        assert person.manages_access == may(person, Capability.MANAGE_ACCESS)


def test_the_navigation_marks_the_section_of_a_page(sign_in: SignIn, mac: Device) -> None:
    client = sign_in(Role.ADMIN)
    sections = [
        reverse(name) for name in ("overview", "devices", "blueprints", "vulnerabilities", "users", "reference")
    ]

    def marked(path: str) -> list[str]:
        links = elements(client.get(path).content.decode(), "a")
        return [section for section in sections if {"href": section, "aria-current": "page"} in links]

    for path in (reverse("devices"), reverse("device", args=[mac.uuid]), reverse("device-notes", args=[mac.uuid])):
        assert marked(path) == [reverse("devices")], path
    assert marked(reverse("tokens")) == []
