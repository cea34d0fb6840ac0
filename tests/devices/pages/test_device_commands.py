"""Commands from the page of a device: each has a dialog with its consequence and its form, which shows refusals too."""

from typing import Any

import pytest
from django.test import Client
from lucide.templatetags.lucide import lucide

from access.models import Role, Tenant
from devices.commands import COMMANDS, Command
from devices.fleet.secrets import read_secrets
from devices.models import Device, DeviceCommand, DeviceSecret, LostMode, Platform
from devices.pages.command_menu import command_menu
from devices.pages.forms.device_commands import CommandForm, OnOff
from tests.devices.pages.browsing import HTMX, NAME, SignIn, newest, on, page, text, unkept
from tests.devices.sending import ACTOR
from tests.factories.devices import DeviceFactory, LostModeFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
PASSWORD = "correct horse battery staple"


def filled(form: CommandForm) -> dict[str, str]:
    """A value for each field that the form requires."""
    return {
        name: "Mine" if name == "typed_name" else "True" if isinstance(field, OnOff) else "example"
        for name, field in form.fields.items()
        if field.required
    }


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.id)
def test_every_command_has_an_icon_and_tells_its_consequence_in_a_sentence(command: Command[Any]) -> None:
    assert "<svg" in lucide(command.icon)
    assert set(command.consequence_by_platform) <= set(command.platforms)
    for platform in command.platforms:
        assert command.consequence_on(platform).endswith(".")


@pytest.mark.parametrize("platform", Platform)
def test_every_command_of_a_platform_is_sent(platform: Platform, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.HELP_DESK)
    device = DeviceFactory.create(tenant=tenant, platform=platform, name="Mine")
    menu = text(client.get(page("device", device)))
    offered = {command.id for group in command_menu(device) for command in group.commands}
    for command in COMMANDS.values():
        url = page("device-action", device, command.action)
        assert (f'href="{url}"' in menu) == (command.id in offered)
        dialog = client.get(url)
        assert command.consequence_on(platform).split("'")[0] in text(dialog)
        if platform in command.platforms:
            response = client.post(url, filled(dialog.context["form"]), headers=HTMX)
            assert response.status_code in {200, 204}, text(response)
            assert newest(tenant).summary == f"Command sent: {command.label}"
            assert newest(tenant).actor_type == "user"
        else:
            response = client.post(url, filled(dialog.context["form"]), headers=HTMX)
            assert response.status_code == 422
            assert "Command is not allowed for current device" in text(response)
    sent = set(device.commands.values_list("command", flat=True))
    assert sent == {command.id for command in COMMANDS.values() if platform in command.platforms}


def test_a_sent_command_is_in_the_list(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    response = client.post(page("device-action", mac, "restart"), {"NotifyUser": "on"})
    assert response["Location"] == page("device-commands", mac)
    content = text(client.get(page("device-commands", mac)))
    assert f"Restart Device is queued for “{NAME}”." in content
    assert "Pending" in content
    row = mac.commands.get()
    assert row.payload == {"RebuildKernelCache": False, "NotifyUser": True}
    for status, word in ((2, "Running"), (3, "Completed"), (4, "Failed"), (5, "Not now")):
        DeviceCommand.objects.filter(pk=row.pk).update(status=status)
        assert word in text(client.get(page("device-commands", mac)))


def test_the_dialog_shows_why_a_command_was_refused(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    url = page("device-action", mac, "restart")
    assert client.post(url, headers=on(page("device-commands", mac))).status_code == 204
    before = tenant.audit_events.count()
    response = client.post(url, headers=HTMX)
    assert response.status_code == 422
    assert "Command already running" in text(response)
    assert "<html" not in text(response)
    assert tenant.audit_events.count() == before


def test_required_parameters_of_a_command_are_asked_for(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    for action, data, words in (
        ("setname", {}, "Enter the new name."),
        ("setname", {"DeviceName": "   "}, "at least 1 character"),
        ("remotedesktop", {"EnableRemoteDesktop": "perhaps"}, "Select a valid choice"),
        ("erase", {"typed_name": NAME, "PIN": "12"}, "Enter six digits."),
        ("lock", {"Message": "nul\0"}, "Null characters"),
    ):
        response = client.post(page("device-action", mac, action), data, headers=HTMX)
        assert response.status_code == 422
        assert words in text(response)
    assert not mac.commands.exists()


def test_an_erase_wants_the_name(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    url = page("device-action", mac, "erase")
    assert "Type the name to go on." in text(client.post(url, headers=HTMX))
    assert client.post(url, {"typed_name": "Ana"}, headers=HTMX).status_code == 422
    assert not mac.commands.exists()
    response = client.post(url, {"typed_name": "Ana's Mac", "PIN": "482913"}, headers=HTMX)
    assert response["HX-Redirect"] == page("device-commands", mac)
    assert "482913" not in str(mac.commands.get().payload)


def test_the_form_sets_the_parameters_of_an_iphone_erase(tenant: Tenant, sign_in: SignIn) -> None:
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, name="")
    data = {"typed_name": phone.serial_number, "ReturnToService__Enabled": "on"}
    sign_in().post(page("device-action", phone, "erase"), data)
    assert phone.commands.get().payload == {
        "PreserveDataPlan": False,
        "DisallowProximitySetup": False,
        "ReturnToService": {"Enabled": True},
    }


def test_locking_a_mac_answers_its_pin_once(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.HELP_DESK)
    response = client.post(page("device-action", mac, "lock"), {"Message": "Hello"}, headers=HTMX)
    assert response.status_code == 200
    assert unkept(response)
    (pin,) = read_secrets(tenant=tenant, device_id=mac.uuid, kinds=[DeviceSecret.Kind.UNLOCK_PIN], actor=ACTOR)
    assert pin
    assert f'<code class="pin">{pin}</code>' in text(response)
    assert pin not in str(dict(client.session))
    assert not any(pin in value for _, value in response.items())
    assert f">{pin}<" not in text(client.get(page("device-commands", mac)))
    assert client.post(page("device-action", mac, "lock"), headers=HTMX).status_code == 422


def test_a_lock_that_tells_a_pin_wants_the_password_again(tenant: Tenant, mac: Device, sign_in: SignIn) -> None:
    client = sign_in(password=PASSWORD, recently=False)
    url = page("device-action", mac, "lock")
    assert 'name="password"' in text(client.get(url))
    assert client.post(url, {"password": "wrong"}, headers=HTMX).status_code == 422
    assert not mac.commands.exists()
    assert unkept(client.post(url, {"password": PASSWORD}, headers=HTMX))
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE)
    assert 'name="password"' not in text(client.get(page("device-action", phone, "lock")))


@pytest.mark.parametrize("platform", sorted(COMMANDS["erase_device"].platforms))
def test_an_erase_wants_the_password_again(tenant: Tenant, sign_in: SignIn, platform: Platform) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform, name=NAME)
    client = sign_in(Role.HELP_DESK, password=PASSWORD, recently=False)
    url = page("device-action", device, "erase")
    assert 'name="password"' in text(client.get(url))
    refused: list[dict[str, str]] = [{}, {"password": "wrong"}]
    for password in refused:
        assert client.post(url, {"typed_name": NAME, **password}, headers=HTMX).status_code == 422
    assert not device.commands.exists()
    client.post(url, {"typed_name": NAME, "password": PASSWORD}, headers=HTMX)
    assert device.commands.get().command == "erase_device"
    assert PASSWORD not in str(device.commands.get().payload)
    assert 'name="password"' not in text(client.get(url))  # for the next ten minutes


def test_a_failed_lost_mode_is_cancelled(tenant: Tenant, sign_in: SignIn) -> None:
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, lost_mode_status="enabled")
    LostModeFactory.create(device=phone)
    client = sign_in()
    url = page("lost-mode-cancel", phone)
    response = client.post(url, headers=HTMX)
    assert response.status_code == 422
    assert "Lost mode is not in an error state." in text(response)
    LostMode.objects.filter(device=phone).update(status="error")
    assert client.post(url)["Location"] == page("device", phone)
    assert not LostMode.objects.filter(device=phone).exists()


def test_auditors_are_offered_no_action(mac: Device, sign_in: SignIn) -> None:
    for role in (Role.AUDITOR, Role.SECRETS_AUDITOR):
        content = text(sign_in(role).get(page("device", mac)))
        assert 'class="action-bar"' not in content
        assert sign_in(role).post(page("device-action", mac, "restart")).status_code == 403
    assert not mac.commands.exists()


def test_what_is_unknown_is_not_found(mac: Device, other_tenant: Tenant, sign_in: SignIn) -> None:
    client: Client = sign_in()
    theirs = DeviceFactory.create(tenant=other_tenant)
    assert client.post(page("device-action", mac, "explode")).status_code == 404
    assert client.post(page("device-action", theirs, "restart")).status_code == 404
    assert client.post(page("device-delete", theirs), {"typed_name": theirs.name}).status_code == 404
    assert not theirs.commands.exists()
