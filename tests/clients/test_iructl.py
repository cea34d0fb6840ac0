"""Iru's own client against a running server.

Its commands synchronize the library, which this server does not serve yet: they get past its look for the tenant, and
then get the 404 of an unknown path. What it does with blueprints goes all the way.
"""

import json
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.slow

CODE = """
import contextlib, io, json, os, socket, sys, tempfile
from urllib.parse import urlsplit

# It calls no host but the vendor's, on the port of https: here those lead to the server under test.
here = urlsplit(os.environ["URL"]).port
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, port, *rest, **more: (
    look_up("127.0.0.1", here, *rest, **more) if host == "accuhive.api.iru.com" else look_up(host, port, *rest, **more)
)

import requests
from iructl import main
from iructl.api.blueprints import BlueprintsResource
from iructl.api.client import ApiConfig

seen = {}
url = "https://accuhive.api.iru.com"
with BlueprintsResource(ApiConfig(tenant_url=url, api_token=os.environ["TOKEN"])) as blueprints:
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

os.environ.update(IRUCTL_TENANT=url, IRUCTL_TOKEN=os.environ["TOKEN"], COLUMNS="500")
repository = os.path.join(tempfile.mkdtemp(), "repository")
output = io.StringIO()
with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
    for command in (["new", repository], ["--repo", repository, "script", "list", "--remote"]):
        sys.argv = ["iructl", "--no-git", *command]
        with contextlib.suppress(SystemExit):
            main()
seen["said"] = output.getvalue()
print(json.dumps(seen))
"""


def test_a_copy_creates_missing_blueprints_and_their_parts(client_script: Callable[..., str]) -> None:
    seen = json.loads(client_script("iructl==1.3.2", CODE))
    said = seen.pop("said")
    assert "An error occurred while fetching: message: no Route matched with those values" in said
    assert seen == {
        "count": True,
        "types": ["classic", "map"],
        "assigned": True,
        "again": [400, "Library Item already exists on Blueprint"],
    }
