"""An empty field says what to do, in every form: those of our pages, of allauth and of Django admin."""

from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from access.admin.site import OwnPasswordForm
from access.models import Administrator, Role, Tenant
from access.pages.forms.asking import NO_ADDRESS, REQUIRED, Asking, Form
from devices.commands import COMMANDS, Command
from tests.devices.pages.addresses import PAGES, address, examples_of
from tests.devices.pages.browsing import SignIn, text
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


def forms_of(base: type[forms.BaseForm]) -> Iterator[type[forms.BaseForm]]:
    for each in base.__subclasses__():
        yield each
        yield from forms_of(each)


def test_every_form_of_ours_says_what_to_do() -> None:
    assert PAGES  # the import of the pages declares their forms
    ours = {each for each in forms_of(forms.BaseForm) if each.__module__.startswith(("access.", "devices."))}
    assert {"SignInForm", "CreateTokenForm", "DeviceForm", "CommandForm"} <= {each.__name__ for each in ours}
    assert {f"{each.__module__}.{each.__qualname__}" for each in ours if not issubclass(each, Asking)} == set()


def test_every_form_of_django_admin_says_what_to_do(operator: Administrator) -> None:
    request = RequestFactory().get("/")
    request.user = operator
    request.session = {}  # type: ignore[assignment]
    made: list[Any] = [
        each.get_form(request) for model, each in admin.site._registry.items() if each.has_add_permission(request)
    ]
    assert len(made) >= 2
    assert all(issubclass(each, Asking) for each in (*made, OwnPasswordForm))


def test_no_page_answers_an_empty_form_with_the_words_of_django(tenant: Tenant, sign_in_owner: Client) -> None:
    examples, sent = examples_of(tenant), []
    for route in PAGES:
        path = address(route, examples)
        if route.endswith("/delete/") or "sign-out" in route or "session" in route:
            continue  # a deletion would remove the example object that another page needs
        answer = sign_in_owner.post(path)
        sent.append(answer.status_code)
        assert REQUIRED not in text(answer), route
    assert sent.count(422) > 15


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_dialog_of_a_command_does(command: Command[Any], tenant: Tenant, sign_in_owner: Client) -> None:
    for platform in command.platforms:
        device = DeviceFactory.create(tenant=tenant, platform=platform)
        for method in (sign_in_owner.get, sign_in_owner.post):
            answer = method(reverse("device-action", args=[device.uuid, command.action]), {})
            assert answer.status_code < 500
            assert REQUIRED not in text(answer)


def test_no_page_for_strangers_does(client: Client) -> None:
    for path in ("/sign-in/", "/password/reset/", "/sign-in/sso/", "/enroll/"):
        answer = client.post(path)
        assert (answer.status_code, REQUIRED in text(answer)) == (422, False), path


@pytest.fixture
def sign_in_owner(sign_in: SignIn) -> Client:
    client = sign_in(Role.OWNER)
    client.raise_request_exception = False
    return client


class Example(Form):
    name = forms.CharField()
    email = forms.EmailField(label="E-mail")
    client_id = forms.CharField(label="Client ID")
    blueprint = forms.ChoiceField(label="Blueprint")
    platform = forms.ChoiceField(choices=[("a", "A")])
    parts = forms.MultipleChoiceField(choices=[("a", "A")])
    file = forms.FileField()
    agreed = forms.BooleanField(label="Understood")
    own = forms.CharField(error_messages={"required": "Give it a name."})


def test_the_words_follow_from_the_field() -> None:
    assert {name: errors[0] for name, errors in Example({}).errors.items()} == {
        "name": "Enter the name.",
        "email": "Enter the e-mail address.",
        "client_id": "Enter the client ID.",
        "blueprint": "Choose a Blueprint.",
        "platform": "Choose the platform.",
        "parts": "Choose at least one.",
        "file": "Choose a file.",
        "agreed": "Tick “Understood” to go on.",
        "own": "Give it a name.",
    }
    assert Example({"email": "ana"}).errors["email"] == [NO_ADDRESS]


def test_the_pages_of_django_admin_say_what_to_do(operator: Administrator, client: Client) -> None:
    client.force_login(operator)
    for name in ("admin:access_tenant_add", "admin:access_administrator_add"):
        answer = text(client.post(reverse(name), {}))
        assert "field-error" in answer
        assert REQUIRED not in answer
