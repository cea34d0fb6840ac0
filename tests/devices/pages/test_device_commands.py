"""Commands from the page of a device: each has a dialog with its consequence and its form, which shows refusals too."""

import re
from typing import Any
from unittest.mock import ANY

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from lucide.templatetags.lucide import lucide

from access.models import Role, Tenant
from devices.commands import COMMANDS, Command
from devices.commands.queue import acknowledge, deliver
from devices.fleet.secrets import read_secrets
from devices.models import Device, DeviceCommand, DeviceSecret, LostMode, Platform
from devices.pages.command_menu import command_menu
from devices.pages.device_commands import NO_CARRIER
from devices.pages.forms.device_commands import OTHER, CommandForm, OnOff
from tests.devices.pages.browsing import HTMX, NAME, SignIn, newest, on, page, text, unkept
from tests.devices.sending import ACTOR, send
from tests.factories.devices import DeviceFactory, LostModeFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
PASSWORD = "correct horse battery staple"


def filled(form: CommandForm) -> dict[str, str]:
    """A value for each field that the form requires."""
    return {
        name: "Mine" if name == "typed_name" else "True" if isinstance(field, OnOff) else "example"
        for name, field in form.fields.items()
        if field.required or name in form.command.form_needs_one_of
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
        assert (f'href="{url}{"?turn=on" * bool(command.switch)}"' in menu) == (command.id in offered)
        dialog = client.get(url)
        assert command.consequence_on(platform).split("'")[0] in text(dialog)
        if platform in command.platforms:
            response = client.post(url, filled(dialog.context["form"]), headers=HTMX)
            assert response.status_code in {200, 204}, text(response)
            assert newest(tenant).summary == f"Command sent: {command.titled('on' if command.switch else '')}"
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
    assert f"“Restart” waits for “{NAME}” (last check-in " in content
    assert "Waiting" in content
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
    assert "Nothing was sent: the same command waits already." in text(response)
    assert "<html" not in text(response)
    assert tenant.audit_events.count() == before


def test_a_waiting_command_is_shown_with_its_sender_and_the_ways_out(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    url = page("device-action", mac, "restart")
    client.post(url, {"NotifyUser": "on"}, headers=HTMX)
    row = mac.commands.get()
    dialog = text(client.get(url))
    assert (
        f"Already waiting since {timezone.localtime(row.date_requested):%H:%M}, requested by {row.requested_by}"
        in dialog
    )
    cancel = page("command-cancel", mac, row.uuid)
    assert f'href="{page("device-commands", mac)}#command-{row.uuid}"' in dialog
    assert f'href="{cancel}"' in dialog
    assert 'type="submit"' not in dialog.partition('class="dialog-actions"')[2].partition("</form>")[0]

    listed = text(client.get(page("device-commands", mac)))
    assert "Ask the person at the Mac first:</span> Yes" in listed
    assert "last check-in" in listed
    assert f'href="{cancel}"' in listed
    assert client.post(cancel)["Location"] == page("device-commands", mac)
    listed = text(client.get(page("device-commands", mac)))
    assert "Cancelled" in listed
    assert f'href="{cancel}"' not in listed
    assert "This command has ended already." in text(client.post(cancel, headers=HTMX))
    assert "Already waiting" not in text(client.get(url))


def test_a_delivered_command_cannot_be_cancelled_any_more(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    deliver(command=send(mac, "restart_device").command)
    row = mac.commands.get()
    cancel = page("command-cancel", mac, row.uuid)
    for name, *rest in (("device-commands",), ("device-action", "restart")):
        assert f'href="{cancel}"' not in text(client.get(page(name, mac, *rest)))
    response = client.post(cancel, headers=HTMX)
    assert (response.status_code, "has received this command" in text(response)) == (422, True)


def test_nothing_carries_commands_out_yet_and_every_dialog_says_so(
    mac: Device, sign_in: SignIn, monkeypatch: Any
) -> None:
    client = sign_in()
    selected = f"?id={mac.uuid}"
    urls = [page("device-commands", mac), *(page("device-action", mac, each.action) for each in COMMANDS.values())]
    urls += [reverse("bulk-commands") + selected, reverse("bulk-command", args=["restart"]) + selected]
    link = f'<a class="button small" href="{reverse("push-certificate")}">'
    helper = sign_in(Role.HELP_DESK)  # who may not open that page
    for url in urls:
        assert [each in text(client.get(url)) for each in (NO_CARRIER, link)] == [True, True], url
        assert [each in text(helper.get(url)) for each in (NO_CARRIER, link)] == [True, False], url
    monkeypatch.setattr("devices.pages.device_commands.carries_out_commands", lambda tenant: True)
    for url in urls:
        assert [each in text(client.get(url)) for each in (NO_CARRIER, link)] == [False, False], url


def test_a_lock_is_in_the_head_of_the_device(tenant: Tenant, mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    pin = f'<a href="{page("device-secrets", mac)}">Unlock PIN</a>'
    row = send(mac, "lock_device").command
    head = text(client.get(page("device", mac)))
    assert "Lock waits" in head
    assert pin in head
    assert pin not in text(sign_in(Role.HELP_DESK).get(page("device", mac)))
    acknowledge(command=row)
    assert '<span class="badge danger">Locked</span>' in text(client.get(page("device", mac)))
    Device.objects.filter(pk=mac.pk).update(last_check_in=timezone.now())
    assert pin not in text(client.get(page("device", mac)))
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE)
    acknowledge(command=send(phone, "lock_device").command)
    assert ">Locked<" not in text(client.get(page("device", phone)))


def test_the_known_accounts_of_a_device_are_offered(tenant: Tenant, sign_in: SignIn) -> None:
    rows = [{"username": name} for name in ("ben", "ana", "ana", "")]
    mac = DeviceFactory.create(tenant=tenant, name="Mine", details={"users": {"regular_users": [*rows, 7]}})
    client = sign_in()
    for action in ("deleteuser", "unlockaccount"):
        choices = client.get(page("device-action", mac, action)).context["form"].fields["UserName"].choices
        assert [value for value, _ in choices] == ["", "ana", "ben", OTHER]
    url = page("device-action", mac, "deleteuser")
    for data, error in (
        ({}, "Choose an account."),
        ({"UserName": OTHER}, "Write the name of the account."),
        ({"UserName": "ana"}, "Type the name to go on."),
    ):
        response = client.post(url, data, headers=HTMX)
        assert (response.status_code, error in text(response)) == (422, True), data
    client.post(url, {"UserName": "ana", "typed_name": "Mine"}, headers=HTMX)
    client.post(page("device-action", mac, "unlockaccount"), {"UserName": OTHER, "other_account": "zoe"}, headers=HTMX)
    assert {row.command: row.payload for row in mac.commands.all()} == {
        "delete_user_on_device": {"UserName": "ana"},
        "unlock_account": {"UserName": "zoe"},
    }


def test_lost_mode_needs_a_way_to_reach_somebody(tenant: Tenant, sign_in: SignIn) -> None:
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, name="Mine")
    client = sign_in()
    url = page("device-action", phone, "enablelostmode")
    for nothing in ({}, {"Footnote": "IT"}, {"Message": "  "}):
        response = client.post(url, nothing, headers=HTMX)
        assert (response.status_code, "Write a message or a phone number" in text(response)) == (422, True)
    client.post(url, {"PhoneNumber": "+1 555 0100"}, headers=HTMX)
    assert phone.commands.get().payload == {"PhoneNumber": "+1 555 0100"}


@pytest.mark.parametrize(
    ("status", "disable_status", "offered"),
    [
        ("", "", {"enable_lost_mode"}),
        ("pending", "", {"disable_lost_mode"}),
        ("enabled", "", {"disable_lost_mode"}),
        ("error", "", {"enable_lost_mode"}),
        ("error", "error", {"disable_lost_mode"}),
    ],
)
def test_the_menu_has_one_of_enable_and_disable(
    tenant: Tenant, status: str, disable_status: str, offered: set[str]
) -> None:
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, lost_mode_status=status)
    if status:
        LostModeFactory.create(device=phone, status=status, disable_status=disable_status)
    menu = {command.id for group in command_menu(phone) for command in group.commands}
    assert menu & {"enable_lost_mode", "disable_lost_mode"} == offered


def test_the_color_of_danger_is_for_lock_outs_and_lost_data() -> None:
    assert {id for id, command in COMMANDS.items() if command.dangerous} == {
        "delete_user_on_device",
        "enable_lost_mode",
        "erase_device",
        "lock_device",
        "reset_work_profile_passcode",
    }


@pytest.mark.parametrize(("turn", "state"), [("on", "Enable"), ("off", "Disable")])
def test_a_switch_has_an_entry_for_each_direction(mac: Device, sign_in: SignIn, turn: str, state: str) -> None:
    client = sign_in()
    url = f"{page('device-action', mac, 'remotedesktop')}?turn={turn}"
    assert f'href="{url}"' in text(client.get(page("device", mac)))
    dialog = client.get(url)
    assert f"Turn {turn} Remote Desktop" in text(dialog)
    assert dialog.context["form"]["EnableRemoteDesktop"].is_hidden
    client.post(url, {"EnableRemoteDesktop": dialog.context["form"]["EnableRemoteDesktop"].value()}, headers=HTMX)
    assert mac.commands.get().request_type == f"{state}RemoteDesktop"
    assert f">Turn {turn} Remote Desktop</strong>" in text(client.get(page("device-commands", mac)))


def test_the_activity_says_what_a_command_asked_for(mac: Device, sign_in: SignIn) -> None:
    acknowledge(command=send(mac, "set_device_name", DeviceName="Reception").command)
    content = text(sign_in().get(page("device-activity", mac)))
    assert "Command completed: Set name" in content
    assert re.findall(r"<dt>New name</dt>\s*<dd>\s*<ins>Reception</ins>", content) == [ANY, ANY]  # sent, and completed


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
