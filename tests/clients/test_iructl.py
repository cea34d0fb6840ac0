"""Iru's own client against a running server: every call of its API classes, and every command, unpatched.

A call or a command that is not run fails the test.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import ROOT, Service

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]  # the tests of the operations run on both databases

PACKAGE = "iructl==1.3.2"
SET_UP = '''
import contextlib, io, json, pathlib, sys, tempfile
url = "https://accuhive.api.iru.com"
route("accuhive.api.iru.com")
import requests
from iructl import api, main
from iructl.api import ApiConfig

config = ApiConfig(tenant_url=url, api_token=os.environ["TOKEN"])
HOME = pathlib.Path(tempfile.mkdtemp())
PROFILE = HOME / "wifi.mobileconfig"
PROFILE.write_text("""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>PayloadContent</key><array/><key>PayloadDisplayName</key><string>Wi-Fi</string>
<key>PayloadIdentifier</key><string>com.example.wifi</string><key>PayloadType</key><string>Configuration</string>
<key>PayloadUUID</key><string>11111111-1111-4111-8111-111111111112</string><key>PayloadVersion</key><integer>1</integer>
</dict></plist>""")

def package(name, size):
    path = HOME / name
    path.write_bytes(b"xar!" + os.urandom(1 << 20) * (size >> 20))
    return path

'''
CALLS = """
from iructl.api import BlueprintsResource
seen = {}
with BlueprintsResource(config) as blueprints:
    listed = blueprints.list()
    seen["count"] = listed.count == len(listed.results) > 3
    seen["types"] = sorted({blueprint.type for blueprint in listed.results})
    classic = [blueprint.id for blueprint in listed.results if blueprint.type == "classic"]

    def items(blueprint):
        path = f"/api/v1/blueprints/{blueprint}/list-library-items"
        return {item["id"] for item in blueprints.client.get(path).json()["results"]}

    first, second = sorted(classic, key=lambda blueprint: len(items(blueprint)))[:: len(classic) - 1]
    new = sorted(items(second) - items(first))[0]
    seen["assigned"] = new in blueprints.assign(first, library_item_id=new)
    try:
        blueprints.assign(first, library_item_id=new)
    except requests.HTTPError as error:
        seen["again"] = [error.response.status_code, error.response.json()]

CREATE = {
    "CustomAppsResource": {
        "name": "Tool", "file": package("tool.pkg", 1 << 20), "install_type": "package",
        "install_enforcement": "install_once", "audit_script": "", "preinstall_script": "", "postinstall_script": "",
        "restart": False, "active": False,
    },
    "CustomProfilesResource": {"name": "Wi-Fi", "file": PROFILE, "runs_on_mac": True},
    "CustomScriptsResource": {"name": "Check", "script": "exit 0", "execution_frequency": "once"},
}
surface = {"BlueprintsResource.list", "BlueprintsResource.assign"}
for resource, fields in CREATE.items():
    with getattr(api, resource)(config) as opened:
        before = opened.list().count
        made = opened.create(**fields)
        opened.update(id=made.id, name="Renamed")
        names = [opened.get(id=made.id).name, opened.list().count - before]
        opened.delete(id=made.id)
        seen[resource] = [*names, opened.list().count - before]
        surface |= {f"{resource}.{method}" for method in ("create", "delete", "get", "list", "update")}
with api.SelfServiceCategoriesResource(config) as categories:
    seen["categories"] = len(categories.list()) > 1
    surface.add("SelfServiceCategoriesResource.list")
every = {
    f"{resource}.{method}"
    for resource in dir(api) if resource.endswith("Resource") and resource != "ResourceBase"
    for method, each in vars(getattr(api, resource)).items() if method[0] != "_" and callable(each)
}
print(json.dumps({"seen": seen, "not called": sorted(every - surface)}))
"""
COMMANDS = '''
import hashlib

import typer
from iructl._cli import app

def leaves(command, path=()):
    for name, each in getattr(command, "commands", {}).items():
        yield from leaves(each, (*path, name)) if hasattr(each, "commands") else [" ".join((*path, name))]

os.environ.update(IRUCTL_TENANT=url, IRUCTL_TOKEN=os.environ["TOKEN"], COLUMNS="500")
repository = HOME / "repository"
ran = set()

def run(*command):
    """What the command prints; one that fails ends the script."""
    ran.add(" ".join(command[: 1 + (command[0] != "new")]))
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        sys.argv = ["iructl", "--no-git", "--repo", str(repository), *map(str, command)]
        try:
            main()
        except SystemExit as end:
            code = end.code
    if code:
        sys.exit(f"{command} ended with {code}: {output.getvalue()}")
    return output.getvalue()

def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()

def remote(kind):
    """The names of what the server has."""
    return run(kind, "list", "--remote")

seen = {}
run("new", repository)
# An app: from the first push to a package of 100 MB that comes back as it went up.
run("app", "new", "--file", package("tool.pkg", 1 << 20), "--name", "Tool", "--enforcement", "install_once")
run("app", "push", "--path", repository / "apps/Tool")
seen["app pushed"] = "Tool" in remote("app")
large = package("large.pkg", 100 << 20)
run("app", "set-file", repository / "apps/Tool", "--file", large)
run("app", "push", "--path", repository / "apps/Tool")
for payload in (repository / "payloads").iterdir():
    payload.unlink()
run("app", "download", repository / "apps/Tool")
seen["app came back"] = [digest(large)] == [digest(each) for each in (repository / "payloads").iterdir()]
# A profile and a script: pushed, edited here, pushed again.
run("profile", "new", "--import", PROFILE, "--name", "Office Wi-Fi", "--runs-on", "mac")
(HOME / "check.sh").write_text("#!/bin/zsh" + chr(10) + "exit 0")
run("script", "new", "--name", "Office Check", "--import-audit", HOME / "check.sh", "--execution-frequency", "once")
contents = {"profile": ("Office Wi-Fi", "profile.mobileconfig"), "script": ("Office Check", "audit.sh")}
for kind, (name, content) in contents.items():
    path = repository / f"{kind}s" / name
    run(kind, "push", "--path", path)
    seen[f"{kind} pushed"] = name in remote(kind)
    file = path / content
    file.write_text(file.read_text().replace("exit 0", "exit 1").replace("com.example.wifi", "com.example.office"))
    info = path / "info.plist"
    info.write_text(info.read_text().replace(f"<string>{name}</string>", f"<string>{name} 2</string>"))
    run(kind, "push", "--path", path)
    seen[f"{kind} edited"] = f"{name} 2" in remote(kind)
# All of the library comes here, and stays the same.
for kind in ("app", "profile", "script"):
    run(kind, "pull", "--all", *(["--force"] if kind == "profile" else []))
    run(kind, "sync", "--all")
    listed = run(kind, "list")
    seen[f"{kind} in step"] = [word for word in ("New Remote", "Updated", "Conflict") if word in listed]
    name = {"app": "Tool", "profile": "Office Wi-Fi 2", "script": "Office Check 2"}[kind]
    files = (repository / f"{kind}s").rglob("info.plist")
    path = next(each.parent for each in files if f">{name}<" in each.read_text())
    seen[f"{kind} shown"] = name in run(kind, "show", path)
    run(kind, "delete", "--path", path, "--force")
    seen[f"{kind} deleted"] = name not in remote(kind)
every = set(leaves(typer.main.get_command(app)))
print(json.dumps({"seen": seen, "not run": sorted(every - ran), "ran": sorted(ran)}))
'''

ROLL_OUT = """
import time
from iructl.api import BlueprintsResource, CustomProfilesResource

def ask(path):
    with BlueprintsResource(config) as any_resource:
        return any_resource.client.get(f"/api/v1/{path}").json()

def wait(look):
    for _ in range(240):
        if (found := look()):
            return found
        time.sleep(0.5)
    sys.exit(f"It did not happen: {ask(shown)}")

def status(item):
    listed = ask(shown)["library_items"]
    return next((each["status"] for each in listed if each["item_id"] == str(item)), None)

shown = "devices?serial_number=CTL"
(mac,) = wait(lambda: ask(shown))
shown = f"devices/{mac['device_id']}/library-items"
with CustomProfilesResource(config) as profiles, BlueprintsResource(config) as blueprints:
    pushed = profiles.create(name="From the command line", file=PROFILE, runs_on_mac=True, active=True)
    before = status(pushed.id)
    blueprints.assign(mac["blueprint_id"], library_item_id=pushed.id)
    wait(lambda: status(pushed.id) == "success")
    details = ask(f"devices/{mac['device_id']}/details")
    names = [each["name"] for each in details["installed_profiles"]]
    profiles.delete(id=pushed.id)
    wait(lambda: "From the command line" not in str(ask(f"devices/{mac['device_id']}/details")["installed_profiles"]))
print(json.dumps({"before": before, "there": "From the command line" in names}))
"""


def result(client_script: Callable[..., str], code: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(client_script(PACKAGE, SET_UP + code).splitlines()[-1])
    return answer


def test_every_call_of_its_api_classes(client_script: Callable[..., str]) -> None:
    answer = result(client_script, CALLS)
    assert answer["not called"] == []
    assert answer["seen"] == {
        "count": True,
        "types": ["classic", "map"],
        "assigned": True,
        "again": [400, "Library Item already exists on Blueprint"],
        # The name after the update, the number of new items after the creation, and after the deletion.
        "CustomAppsResource": ["Renamed", 1, 0],
        "CustomProfilesResource": ["Renamed", 1, 0],
        "CustomScriptsResource": ["Renamed", 1, 0],
        "categories": True,
    }


def test_every_command(client_script: Callable[..., str]) -> None:
    answer = result(client_script, COMMANDS)
    assert answer["not run"] == []
    assert answer["seen"] == {
        "app pushed": True,
        "app came back": True,
        "profile pushed": True,
        "profile edited": True,
        "script pushed": True,
        "script edited": True,
        **{f"{kind} in step": [] for kind in ("app", "profile", "script")},
        **{f"{kind} shown": True for kind in ("app", "profile", "script")},
        **{f"{kind} deleted": True for kind in ("app", "profile", "script")},
    }


def test_a_profile_that_it_pushes_reaches_a_mac(service: Service, client_script: Callable[..., str]) -> None:
    chosen = ["--devices", "1", "--kinds", "mac", "--series", "CTL", "--blueprint", "Company Macs"]
    mac = subprocess.Popen(
        [sys.executable, "manage.py", "mdm_simulate", *chosen, "--every", "1", "--url", service.url],
        cwd=ROOT,
        env=service.environment | {"SSL_CERT_FILE": str(service.certificate)},
    )
    try:
        assert result(client_script, ROLL_OUT) == {"before": None, "there": True}
    finally:
        mac.terminate()
        mac.wait(20)
