"""A published Python client against a running server: every method it has, blocking and asynchronous, and its commands.

A method that is neither called nor listed with the reason fails the test, and so does a listed one that works by now.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]  # the tests of the operations run on both databases

PACKAGE = "irusdk[cli]==0.4.2"
# Methods that cannot be used, with the error that the client raises for them, and the reason.
UNREACHABLE = {
    "blueprints.templates": ("ValidationError", "the client reads ids of categories as text, documented are integers"),
}
SURFACE = """
def services(client):
    return {name: each for name, each in vars(client).items() if type(each).__name__.endswith("API")}

def surface(client):
    return sorted(
        f"{name}.{method}" for name, each in services(client).items() for method in dir(each) if method[0] != "_"
    )

class Recorded:
    def __init__(self, name, service, calls):
        self.name, self.service, self.calls = name, service, calls

    def __getattr__(self, method):
        self.calls.add(f"{self.name}.{method}")
        return getattr(self.service, method)

def record(client, calls):
    for name, service in services(client).items():
        setattr(client, name, Recorded(name, service, calls))

FILE = pathlib.Path(tempfile.mkdtemp()) / "installer.pkg"
FILE.write_bytes(b"xar!" + os.urandom(1 << 20))
PROFILE = plistlib.dumps({
    "PayloadContent": [], "PayloadDisplayName": "Wi-Fi", "PayloadIdentifier": "com.example.wifi",
    "PayloadType": "Configuration", "PayloadUUID": "11111111-1111-4111-8111-111111111112", "PayloadVersion": 1,
})
APP = {"name": "SDK", "install_type": "package", "install_enforcement": "install_once"}
SCRIPT = {"name": "SDK", "script": "exit 0", "execution_frequency": "once"}
REFUSED = {"blueprints.templates": {}}
"""
CALLS = """
import json, pathlib, plistlib, tempfile
from irusdk import IruClient, NotFoundError
SURFACE
seen, calls, refused = {}, set(), {}
with IruClient(subdomain=os.environ["URL"], token=os.environ["TOKEN"]) as client:
    surface_of_client = surface(client)
    record(client, calls)
    devices = list(client.devices.list())
    seen["devices"] = len(devices)
    seen["unassigned"] = any(device.user is None for device in devices)
    seen["macs"] = sorted({device.platform for device in client.devices.list(platform="Mac")})
    pages = list(client.devices.pages(page_size=7))
    seen["pages"] = [[len(page) if hasattr(page, "__len__") else len(list(page.items)) for page in pages][:4]]
    device = client.devices.get(devices[0].device_id)
    seen["device"] = device == devices[0]
    seen["updated"] = client.devices.update(device.device_id, asset_tag="SDK-1").asset_tag
    seen["details"] = client.devices.details(device.device_id)["general"]["asset_tag"]

    users = list(client.users.list(page_size=5))
    assigned = {each.user.id for each in devices if each.user}
    seen["users"] = {each.id for each in users} == assigned and len(users) == len(assigned)
    seen["integrations"] = sorted({(each.integration.id, each.integration.name) for each in users})
    person = next(each for each in users if each.device_count == 1)
    seen["user"] = client.users.get(person.id) == person
    seen["by e-mail"] = [each.id for each in client.users.list(email=person.email)] == [person.id]
    theirs = next(each for each in devices if each.user and each.user.id == person.id)
    client.devices.delete(theirs.device_id)
    client.users.delete(person.id)
    for get, id in ((client.devices.get, theirs.device_id), (client.users.get, person.id)):
        try:
            get(id)
        except NotFoundError as error:
            seen.setdefault("gone", []).append(error.detail)

    tag = client.tags.create("SDK")
    seen["renamed"] = client.tags.update(tag.id, name="SDK 2").name
    seen["tags"] = [each.name for each in client.tags.list(search="SDK")]
    client.tags.delete(tag.id)
    seen["tag left"] = [each.name for each in client.tags.list(search="SDK")]

    blueprint = client.blueprints.create(name="SDK", enrollment_code={"is_active": True})
    seen["blueprint"] = [blueprint.name, blueprint.type, blueprint.enrollment_code.is_active]
    seen["described"] = client.blueprints.update(blueprint.id, description="By SDK").description
    seen["got"] = client.blueprints.get(blueprint.id).description
    seen["found"] = [each.name for each in client.blueprints.list(name="SDK")]
    seen["in pages"] = sum(len(page) if hasattr(page, "__len__") else len(list(page.items)) for page in
        client.blueprints.pages(page_size=3)) == len(list(client.blueprints.list()))
    classic = [each for each in client.blueprints.list() if each.type == "classic" and each.id != blueprint.id]
    item = client.blueprints.library_items(classic[0].id)[0]
    seen["assigned"] = client.blueprints.assign_library_item(blueprint.id, item.id) == [item.id]
    seen["items"] = [each.name for each in client.blueprints.library_items(blueprint.id)] == [item.name]
    seen["removed"] = client.blueprints.remove_library_item(blueprint.id, item.id)
    client.blueprints.delete(blueprint.id)
    seen["blueprint left"] = [each.name for each in client.blueprints.list(name="SDK")]

    app = client.custom_apps.create(file_key=client.custom_apps.upload(FILE), **APP)
    seen["app"] = [client.custom_apps.get(app.id).name, client.custom_apps.update(app.id, name="SDK 2").name]
    seen["apps"] = [each.name for each in client.custom_apps.list() if each.id == app.id]
    profile = client.custom_profiles.create(name="SDK", profile=PROFILE, runs_on_mac=True)
    renamed = client.custom_profiles.update(profile.id, name="SDK 2").name
    seen["profile"] = [client.custom_profiles.get(profile.id).name, renamed]
    script = client.custom_scripts.create(**SCRIPT)
    renamed = client.custom_scripts.update(script.id, name="SDK 2").name
    seen["script"] = [client.custom_scripts.get(script.id).name, renamed]
    for service, made in ((client.custom_profiles, profile), (client.custom_scripts, script)):
        before = [each.id for each in service.list()]
        service.delete(made.id)
        after = {each.id for each in service.list()}
        seen.setdefault("deleted", []).append([id for id in before if id not in after] == [made.id])
    seen["categories"] = len(client.self_service.categories()) > 1

    worked = set(calls)
    for name, arguments in REFUSED.items():
        service, method = name.split(".")
        try:
            answer = getattr(getattr(client, service), method)(**arguments)
            if method in {"list", "templates"}:
                list(answer)
        except Exception as error:
            refused[name] = type(error).__name__
print(json.dumps({"seen": seen, "worked": sorted(worked), "refused": refused, "surface": surface_of_client}))
"""
ASYNC_CALLS = """
import asyncio, json, pathlib, plistlib, tempfile
from irusdk import AsyncIruClient
SURFACE
async def main():
    seen, calls, refused = {}, set(), {}
    async with AsyncIruClient(subdomain=os.environ["URL"], token=os.environ["TOKEN"]) as client:
        surface_of_client = surface(client)
        record(client, calls)
        devices = [each async for each in client.devices.list()]
        seen["pages"] = sum([1 async for page in client.devices.pages(page_size=300)])
        device = await client.devices.get(devices[0].device_id)
        seen["device"] = device == devices[0]
        seen["updated"] = (await client.devices.update(device.device_id, asset_tag="SDK-2")).asset_tag
        seen["details"] = (await client.devices.details(device.device_id))["general"]["asset_tag"]
        users = [each async for each in client.users.list()]
        person = next(each for each in users if each.device_count == 1)
        seen["user"] = await client.users.get(person.id) == person
        await client.devices.delete(next(each.device_id for each in devices if each.user and each.user.id == person.id))
        await client.users.delete(person.id)
        seen["left"] = [len(users) - len([each async for each in client.users.list()])]
        tag = await client.tags.create("SDK")
        seen["renamed"] = (await client.tags.update(tag.id, name="SDK 3")).name
        await client.tags.delete(tag.id)
        seen["tags"] = [each.name async for each in client.tags.list(search="SDK")]
        blueprint = await client.blueprints.create(name="SDK", enrollment_code={"is_active": False})
        seen["described"] = (await client.blueprints.update(blueprint.id, description="By SDK")).description
        seen["got"] = (await client.blueprints.get(blueprint.id)).description
        listed = [each async for each in client.blueprints.list()]
        seen["in pages"] = sum([1 async for page in client.blueprints.pages(page_size=300)])
        classic = next(each for each in listed if each.type == "classic" and each.id != blueprint.id)
        item = (await client.blueprints.library_items(classic.id))[0]
        seen["assigned"] = await client.blueprints.assign_library_item(blueprint.id, item.id) == [item.id]
        seen["removed"] = await client.blueprints.remove_library_item(blueprint.id, item.id)
        await client.blueprints.delete(blueprint.id)
        app = await client.custom_apps.create(file_key=await client.custom_apps.upload(FILE), **APP)
        renamed = (await client.custom_apps.update(app.id, name="SDK 3")).name
        seen["app"] = [(await client.custom_apps.get(app.id)).name, renamed]
        seen["apps"] = [each.name async for each in client.custom_apps.list() if each.id == app.id]
        profile = await client.custom_profiles.create(name="SDK", profile=PROFILE, runs_on_mac=True)
        renamed = (await client.custom_profiles.update(profile.id, name="SDK 3")).name
        seen["profile"] = [(await client.custom_profiles.get(profile.id)).name, renamed]
        script = await client.custom_scripts.create(**SCRIPT)
        renamed = (await client.custom_scripts.update(script.id, name="SDK 3")).name
        seen["script"] = [(await client.custom_scripts.get(script.id)).name, renamed]
        for service, made in ((client.custom_profiles, profile), (client.custom_scripts, script)):
            before = [each.id async for each in service.list()]
            await service.delete(made.id)
            after = {each.id async for each in service.list()}
            seen.setdefault("deleted", []).append([id for id in before if id not in after] == [made.id])
        seen["categories"] = len(await client.self_service.categories()) > 1
        worked = set(calls)
        for name, arguments in REFUSED.items():
            service, method = name.split(".")
            try:
                answer = getattr(getattr(client, service), method)(**arguments)
                if method in {"list", "templates"}:
                    [each async for each in answer]
                else:
                    await answer
            except Exception as error:
                refused[name] = type(error).__name__
    print(json.dumps({"seen": seen, "worked": sorted(worked), "refused": refused, "surface": surface_of_client}))
asyncio.run(main())
"""
COMMANDS = """
import json
from click.testing import CliRunner
from irusdk.cli import cli

seen, ran = {}, set()
def run(*arguments):
    ran.add(" ".join(arguments[:2]))
    options = ["--subdomain", os.environ["URL"], "--token", os.environ["TOKEN"]]
    result = CliRunner().invoke(cli, [*options, *arguments], catch_exceptions=False)
    assert result.exit_code == 0, (arguments, result.output)
    return result.stdout

def listed(*arguments):
    return json.loads(run(*arguments, "--json"))

devices = listed("devices", "list", "--limit", "1000")
seen["device"] = listed("devices", "get", devices[0]["device_id"])["serial_number"] == devices[0]["serial_number"]
details = json.loads(run("devices", "get", devices[0]["device_id"], "--details"))
seen["details"] = details["general"]["device_id"] == devices[0]["device_id"]
run("devices", "delete", devices[-1]["device_id"], "--yes")
seen["deleted"] = len(devices) - len(listed("devices", "list"))
seen["table"] = "Devices (1)" in run("devices", "list", "--serial-number", devices[0]["serial_number"])
users = listed("users", "list")
seen["user"] = listed("users", "get", users[0]["id"])["email"] == users[0]["email"]
blueprints = listed("blueprints", "list")
seen["blueprint"] = listed("blueprints", "get", blueprints[0]["id"])["name"] == blueprints[0]["name"]
seen["items"] = any(listed("blueprints", "library-items", each["id"]) for each in blueprints)
run("tags", "create", "CLI")
(tag,) = listed("tags", "list", "--search", "CLI")
run("tags", "delete", tag["id"], "--yes")
seen["tags"] = listed("tags", "list", "--search", "CLI")
commands = sorted(f"{group} {name}" for group, each in cli.commands.items() for name in each.commands)
print(json.dumps({"seen": seen, "ran": sorted(ran), "commands": commands}))
"""
OTHER_DOMAIN = """
import json
from irusdk import IruClient
route("accuhive.api.kandji.io")
with IruClient(subdomain="accuhive", token=os.environ["TOKEN"]) as client:
    print(json.dumps([client.base_url, bool(list(client.users.list(page_size=2)))]))
"""

# The results for the library that both of its clients share, except the names.
LIBRARY = {"deleted": [True, True], "categories": True}

type Seen = dict[str, Any]


def result(client_script: Callable[..., str], code: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(client_script(PACKAGE, code.replace("SURFACE", SURFACE)))
    return answer


def assert_whole(answer: dict[str, Any]) -> None:
    """Every method of the client worked, or is known not to, and fails as it is known to."""
    assert answer["refused"] == {name: error for name, (error, _) in UNREACHABLE.items()}
    assert sorted({*answer["worked"], *UNREACHABLE}) == answer["surface"]
    assert not set(answer["worked"]) & UNREACHABLE.keys()


def test_every_method(client_script: Callable[..., str]) -> None:
    answer = result(client_script, CALLS)
    assert_whole(answer)
    seen = answer["seen"]
    assert sum(seen.pop("pages")[0]) >= 21
    assert seen == {
        "devices": seen["devices"],
        "unassigned": True,
        "macs": ["Mac"],
        "device": True,
        "updated": "SDK-1",
        "details": "SDK-1",
        "users": True,
        "integrations": [[None, "Imported users"]],
        "user": True,
        "by e-mail": True,
        "gone": ["Not found.", "Not found."],
        "renamed": "SDK 2",
        "tags": ["SDK 2"],
        "tag left": [],
        "blueprint": ["SDK", "classic", True],
        "described": "By SDK",
        "got": "By SDK",
        "found": ["SDK"],
        "in pages": True,
        "assigned": True,
        "items": True,
        "removed": [],
        "blueprint left": [],
        **LIBRARY,
        "app": ["SDK", "SDK 2"],
        "apps": ["SDK 2"],
        "profile": ["SDK 2", "SDK 2"],
        "script": ["SDK 2", "SDK 2"],
    }
    assert seen["devices"] > 20


def test_every_asynchronous_method(client_script: Callable[..., str]) -> None:
    answer = result(client_script, ASYNC_CALLS)
    assert_whole(answer)
    assert answer["seen"] == {
        "pages": 1,
        "device": True,
        "updated": "SDK-2",
        "details": "SDK-2",
        "user": True,
        "left": [1],
        "renamed": "SDK 3",
        "tags": [],
        "described": "By SDK",
        "got": "By SDK",
        "in pages": 1,
        "assigned": True,
        "removed": [],
        **LIBRARY,
        "app": ["SDK 3", "SDK 3"],
        "apps": ["SDK 3"],
        "profile": ["SDK 3", "SDK 3"],
        "script": ["SDK 3", "SDK 3"],
    }


def test_every_command(client_script: Callable[..., str]) -> None:
    answer = result(client_script, COMMANDS)
    assert answer["ran"] == answer["commands"]
    assert answer["seen"] == {
        "device": True,
        "details": True,
        "deleted": 1,
        "table": True,
        "user": True,
        "blueprint": True,
        "items": True,
        "tags": [],
    }


def test_the_vendors_second_domain_leads_here_as_the_readme_says(client_script: Callable[..., str]) -> None:
    assert json.loads(client_script(PACKAGE, OTHER_DOMAIN)) == ["https://accuhive.api.kandji.io", True]
