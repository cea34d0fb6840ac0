import plistlib
from typing import Any
from urllib.parse import urlencode

import pytest

from access.models import Tenant
from devices.library.profile_files import LARGEST
from tests.factories.devices import PROFILE
from tests.types import Call, IssuedApiToken, IssueToken

URL = "/api/v1/library/custom-profiles"
FILE = PROFILE.encode()
KEYS = [
    "id",
    "name",
    "active",
    "profile",
    "mdm_identifier",
    "runs_on_mac",
    "runs_on_iphone",
    "runs_on_ipad",
    "runs_on_tv",
    "runs_on_vision",
    "runs_on_android",
    "runs_on_windows",
    "created_at",
    "updated_at",
]
FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    names = ("list", "get", "create", "update", "delete")
    ids = [f"{name}_custom_profile{'s' * (name == 'list')}" for name in names]
    return issue_token(*ids, "get_library_item_activity")


@pytest.fixture
def profile(api: Call, token: IssuedApiToken) -> dict[str, Any]:
    answer = api("POST", URL, token, json={"name": "Dock", "file": FILE})
    assert answer.status_code == 201
    body: dict[str, Any] = answer.json()
    return body


def content(profile: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = plistlib.loads(profile["profile"].encode())
    return loaded


def runs_on(profile: dict[str, Any]) -> set[str]:
    return {key.removeprefix("runs_on_") for key, value in profile.items() if key.startswith("runs_on_") and value}


def test_a_profile_gets_the_identifiers_of_this_server(
    profile: dict[str, Any], api: Call, token: IssuedApiToken
) -> None:
    assert list(profile) == KEYS
    assert profile["mdm_identifier"] == f"com.kandji.profile.custom.{profile['id']}"
    assert (profile["name"], profile["active"], runs_on(profile)) == ("Dock", True, {"mac"})
    sent, stored = plistlib.loads(FILE), content(profile)
    assert stored["PayloadIdentifier"] == profile["mdm_identifier"]
    assert stored["PayloadDisplayName"] == "Dock"
    assert stored["PayloadUUID"] != sent["PayloadUUID"]
    assert stored["PayloadContent"] == sent["PayloadContent"]
    start, end = PROFILE.index("\t<array>"), PROFILE.index("</array>")
    assert PROFILE[start:end] in profile["profile"]
    assert profile["updated_at"] > profile["created_at"]
    assert api("GET", f"{URL}/{profile['id']}", token).json() == profile
    assert api("GET", URL, token).json()["results"] == [profile]


@pytest.mark.parametrize("form", ["json", "urlencoded", "multipart"])
def test_every_change_stores_a_new_uuid(
    form: str, profile: dict[str, Any], api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    url, fields = f"{URL}/{profile['id']}", {"name": "Dock <2>", "active": "False", "runs_on_ipad": "true"}
    match form:
        case "json":
            answer = api("PATCH", url, token, json=fields)
        case "urlencoded":
            answer = api("PATCH", url, token, data=urlencode(fields), **FORM)
        case "multipart":
            answer = api("PATCH", url, token, json={**fields, "other": b""})
    changed = answer.json()
    assert (changed["name"], changed["active"], runs_on(changed)) == ("Dock <2>", False, {"mac", "ipad"})
    before, after = content(profile), content(changed)
    assert after["PayloadDisplayName"] == "Dock <2>"
    assert after["PayloadUUID"] != before["PayloadUUID"]
    assert after["PayloadIdentifier"] == before["PayloadIdentifier"]
    assert after["PayloadContent"] == before["PayloadContent"]
    event = tenant.audit_events.filter(target_type="library_item").latest("sequence")
    assert set(event.changes) == {"name", "active", "runs_on_ipad", "profile"}
    old, new = (event.changes["profile"][side] for side in ("old", "new"))
    assert old.split(", ")[0] == new.split(", ")[0]  # the checksum of the profile as its author wrote it
    assert old != new


def test_a_file_replaces_the_profile(profile: dict[str, Any], api: Call, token: IssuedApiToken) -> None:
    file = PROFILE.replace("48", "64").encode()
    changed = api("PATCH", f"{URL}/{profile['id']}", token, json={"file": file}).json()
    assert content(changed)["PayloadContent"][0]["tilesize"] == 64
    assert (changed["name"], content(changed)["PayloadDisplayName"]) == ("Dock", "Dock")
    activity = api("GET", f"/api/v1/library/library-items/{profile['id']}/activity", token).json()["results"]
    assert [row["activity_type"] for row in activity] == ["library_item_edited", "library_item_created"]
    (line,) = activity[0]["details"]
    assert line.startswith("Profile: content sha256 ")


def test_an_empty_change_stores_nothing(profile: dict[str, Any], api: Call, token: IssuedApiToken) -> None:
    assert api("PATCH", f"{URL}/{profile['id']}", token, json={}).json() == profile


def test_families(api: Call, token: IssuedApiToken) -> None:
    def create(**fields: Any) -> Any:
        return api("POST", URL, token, json={"name": "Dock", "file": FILE, **fields})

    ipad = create(runs_on_ipad="True").json()
    assert runs_on(ipad) == {"ipad"}
    refused = {"runs_on_mac": ["At least one device family is required."]}
    answer = create(runs_on_mac="false")
    assert (answer.status_code, answer.json()) == (400, refused)
    answer = api("PATCH", f"{URL}/{ipad['id']}", token, json={"runs_on_ipad": False})
    assert (answer.status_code, answer.json()) == (400, refused)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"\x30\x82\x10\x00", "signed"),
        (b"nothing", "no XML"),
        (b'<!DOCTYPE plist [<!ENTITY a "b">]><plist><dict/></plist>', "entity"),
        (b"x" * (LARGEST + 1), "at most 1 MB"),
    ],
)
def test_a_file_that_is_no_profile_is_a_400_of_its_field(
    file: bytes, reason: str, profile: dict[str, Any], api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    events = tenant.audit_events.count()
    for method, url in (("POST", URL), ("PATCH", f"{URL}/{profile['id']}")):
        answer = api(method, url, token, json={"name": "Other", "file": file})
        assert answer.status_code == 400
        ((field, (message,)),) = answer.json().items()
        assert field == "file"
        assert reason in message
    assert api("GET", URL, token).json()["results"] == [profile]
    assert tenant.audit_events.count() == events


def test_a_body_over_the_maximum_is_a_413(api: Call, token: IssuedApiToken) -> None:
    assert api("POST", URL, token, json={"name": "x", "file": bytes(LARGEST + 100_000)}).status_code == 413


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"json": {"name": "Dock"}}, "file"),
        ({"data": "name=Dock", **FORM}, "file"),
        ({"json": {"name": "Dock", "other": b"x"}}, "file"),
        ({"json": {"file": FILE}}, "name"),
        ({"json": {"name": "a\x01b", "file": FILE}}, "name"),
    ],
)
def test_what_is_missing_is_named(options: dict[str, Any], field: str, api: Call, token: IssuedApiToken) -> None:
    answer = api("POST", URL, token, **options)
    assert (answer.status_code, list(answer.json())) == (400, [field])
