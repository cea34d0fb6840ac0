"""A published Python client against a running server: what it reads, creates, changes and deletes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CODE = """
import json, os
from irusdk import IruClient, NotFoundError

seen = {}
with IruClient(subdomain=os.environ["URL"], token=os.environ["TOKEN"]) as client:
    devices = list(client.devices.list())
    seen["devices"] = len(devices)
    seen["unassigned"] = sum(device.user is None for device in devices)
    seen["macs"] = {device.platform for device in client.devices.list(platform="Mac")}
    device = client.devices.get(devices[0].device_id)
    seen["updated"] = client.devices.update(device.device_id, asset_tag="SDK-1").asset_tag
    seen["details"] = client.devices.details(device.device_id)["general"]["asset_tag"]
    client.devices.delete(device.device_id)
    try:
        client.devices.get(device.device_id)
    except NotFoundError:
        seen["deleted"] = True

    tag = client.tags.create("SDK")
    seen["renamed"] = client.tags.update(tag.id, name="SDK 2").name
    seen["tags"] = "SDK 2" in {each.name for each in client.tags.list()}
    client.tags.delete(tag.id)
    seen["tag left"] = "SDK 2" in {each.name for each in client.tags.list()}

    blueprint = client.blueprints.create(name="SDK", enrollment_code={"is_active": True})
    seen["blueprint"] = [blueprint.name, blueprint.type]
    seen["described"] = client.blueprints.update(blueprint.id, description="By SDK").description
    seen["found"] = [each.name for each in client.blueprints.list(name="SDK")]
    client.blueprints.delete(blueprint.id)
    seen["blueprint left"] = [each.name for each in client.blueprints.list(name="SDK")]
seen["macs"] = sorted(seen["macs"])
print(json.dumps(seen))
"""


def test_devices_tags_and_blueprints(client_script: Callable[..., str]) -> None:
    seen: dict[str, Any] = json.loads(client_script("irusdk==0.4.2", CODE))
    assert seen.pop("unassigned") < 30
    assert seen == {
        "devices": 30,
        "macs": ["Mac"],
        "updated": "SDK-1",
        "details": "SDK-1",
        "deleted": True,
        "renamed": "SDK 2",
        "tags": True,
        "tag left": False,
        "blueprint": ["SDK", "classic"],
        "described": "By SDK",
        "found": ["SDK"],
        "blueprint left": [],
    }
