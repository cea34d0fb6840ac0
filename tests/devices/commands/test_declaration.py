"""The promise of a command's declaration: it becomes an operation, a menu entry and a form, or the start fails."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from django.test import Client
from pydantic import Field

from access.models import Administrator, Tenant
from access.permissions import Catalogue, Section
from devices.api import openapi, routing
from devices.api.operations.actions import declare
from devices.api.routing import Api, Router
from devices.commands import COMMANDS
from devices.commands.base import AppleBody, Command, FormHint, MenuGroup
from devices.commands.registry import declared_commands, in_editor_order
from devices.models import MACS, MOBILE, Device, Platform
from devices.pages.command_menu import command_menu
from tests.devices.pages.browsing import HTMX, page, text
from tests.factories.devices import DeviceFactory


class SampleBody(AppleBody):
    level: str = Field(max_length=3, title="Loudness", description="From 0 to 100.")
    mute_microphone: Annotated[bool | None, FormHint(platforms=MACS)] = None


DECLARED: dict[str, Any] = {
    "id": "sample_command",
    "order": 5000,
    "action": "samplecommand",
    "label": "Sample Command",
    "title": "Set volume",
    "about": "Set the volume of a device",
    "sensitive": True,
    "body": SampleBody,
    "group": MenuGroup.SETTINGS,
    "icon": "volume-1",
    "consequence": "The device plays sounds at the new volume.",
    "platforms": MACS | MOBILE,
    "command_type": "Sample",
}
REQUIRED = sorted(DECLARED.keys() - {"sensitive", "body"})


def command(**attributes: Any) -> Command[Any]:
    """A command that differs from `DECLARED` in these attributes. One that is None is not declared."""
    declared = {name: value for name, value in (DECLARED | attributes).items() if value is not None}
    made: Any = type("Sample", (Command,), {"__module__": __name__, **declared})
    return made()  # type: ignore[no-any-return]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Command[Any]:
    new = command()
    monkeypatch.setitem(COMMANDS, new.id, new)
    return new


def test_it_is_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, router = Catalogue(), Router(Section("Devices", "Device Actions", "Actions."))
    monkeypatch.setattr(routing, "catalogue", catalogue)
    monkeypatch.setattr(openapi, "catalogue", catalogue)
    for each in in_editor_order([command(), *COMMANDS.values()]).values():
        declare(router, each)
    api = Api(router)
    operation = api.operations[-1]
    assert (operation.id, operation.method, operation.path, operation.body) == (
        "sample_command",
        "POST",
        "/api/v1/devices/{device_id}/action/samplecommand",
        SampleBody,
    )
    permission = catalogue.get("sample_command")
    assert permission
    assert (permission.label, permission.about, permission.sensitive) == (
        "Sample Command",
        "Set the volume of a device",
        True,
    )
    document = openapi.build(api)
    assert operation.path in document["paths"]
    assert document["components"]["schemas"]["SampleBody"]["properties"] == {
        "Level": {"type": "string", "maxLength": 3, "description": "From 0 to 100."},
        "MuteMicrophone": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    }


@pytest.mark.django_db
def test_it_is_an_entry_in_the_menu_and_a_form(
    registered: Command[Any], tenant: Tenant, owner: Administrator, client: Client
) -> None:
    client.force_login(owner)
    mac, phone, tv = (
        DeviceFactory.create(tenant=tenant, platform=platform)
        for platform in (Platform.MAC, Platform.IPHONE, Platform.APPLE_TV)
    )
    assert f'href="{page("device-action", mac, "samplecommand")}"' in text(client.get(page("device", mac)))
    assert "samplecommand" not in text(client.get(page("device", tv)))

    dialog = text(client.get(page("device-action", mac, "samplecommand")))
    for part in ("Set volume", registered.consequence, "Loudness", "From 0 to 100.", "Mute microphone"):
        assert part in dialog
    assert "Mute microphone" not in text(client.get(page("device-action", phone, "samplecommand")))

    url = page("device-action", mac, "samplecommand")
    assert client.post(url, {"MuteMicrophone": "on"}, headers=HTMX).status_code == 422
    assert client.post(url, {"Level": "40", "MuteMicrophone": "on"}, headers=HTMX).status_code in {200, 204}
    sent = mac.commands.get()
    assert (sent.command, sent.payload) == ("sample_command", {"Level": "40", "MuteMicrophone": True})


def test_a_command_for_lost_mode_is_not_offered_outside_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "sample_command", command(only_in_lost_mode=True))
    for status, offered in (("", False), ("enabled", True)):
        menu = command_menu(Device(platform=Platform.IPHONE, lost_mode_status=status))
        assert ("sample_command" in {each.id for group in menu for each in group.commands}) == offered


@pytest.mark.parametrize("missing", REQUIRED)
def test_the_start_fails_without_a_required_attribute(missing: str) -> None:
    message = f"The command {__name__}.Sample does not declare: {missing}."
    with pytest.raises(TypeError, match=re.escape(message)):
        command(**{missing: None})


def test_the_start_fails_with_an_unknown_group() -> None:
    with pytest.raises(TypeError, match=r"group of the command .*Sample is 'Sound', which is no MenuGroup"):
        command(group="Sound")


@pytest.mark.parametrize("attribute", ["id", "action", "order"])
def test_the_start_fails_where_two_commands_have_the_same_identity(attribute: str) -> None:
    taken = getattr(COMMANDS["lock_device"], attribute)
    with pytest.raises(ValueError, match=f"LockDevice and Sample both have the {attribute} {taken!r}"):
        in_editor_order([*COMMANDS.values(), command(**{attribute: taken})])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (folder := tmp_path / "somecommands").mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("somecommands")]:
        del sys.modules[name]


def test_a_file_in_the_package_is_found(package: Path) -> None:
    (package / "base.py").write_text(
        "from devices.commands.base import Command\nclass Base(Command[None], abstract=True): label = 'Restart twice'\n"
    )
    (package / "restart_twice.py").write_text(
        "from devices.commands.restart import RestartDevice\nfrom somecommands.base import Base\n"
        "class RestartTwice(Base, RestartDevice): id = 'restart_twice'\n"
    )
    (found,) = declared_commands("somecommands", [str(package)], Command)
    assert (found.id, found.label) == ("restart_twice", "Restart twice")


def test_a_file_that_lacks_an_attribute_stops_the_start(package: Path) -> None:
    (package / "broken.py").write_text(
        "from devices.commands.base import Command\nclass Broken(Command[None]): id = 'broken'\n"
    )
    with pytest.raises(TypeError, match=r"The command somecommands\.broken\.Broken does not declare: about, action,"):
        list(declared_commands("somecommands", [str(package)], Command))
