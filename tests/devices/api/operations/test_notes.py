import pytest

from access.models import Tenant
from tests.factories.devices import DeviceFactory, NoteFactory
from tests.types import Call, IssuedApiToken, IssueToken


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        "list_device_notes",
        "create_device_note",
        "get_device_note",
        "update_device_note",
        "delete_device_note",
        name="Service desk",
    )


def test_a_note_from_its_creation_to_its_end(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    path = f"/api/v1/devices/{device.uuid}/notes"
    created = api("POST", path, token, json={"content": " Screen replaced. "})
    assert created.status_code == 201
    note = created.json()
    assert list(note) == ["note_id", "created_at", "updated_at", "author", "content"]
    assert (note["author"], note["content"]) == ("Service desk", "Screen replaced.")
    assert note["created_at"] == note["updated_at"]
    assert api("GET", f"{path}/{note['note_id']}", token).json() == note

    edited = api("PATCH", f"{path}/{note['note_id']}", token, json={"content": "Battery too."}).json()
    assert (edited["content"], edited["author"], edited["created_at"]) == (
        "Battery too.",
        "Service desk",
        note["created_at"],
    )
    assert edited["updated_at"] > note["updated_at"]
    listed = api("GET", path, token)
    assert listed.json() == [edited]
    assert (listed["X-Total-Count"], listed["X-Total-Pages"], listed["Link"]) == (
        "1",
        "1",
        '<None>; rel="next", <None>; rel="prev"',
    )

    deleted = api("DELETE", f"{path}/{note['note_id']}", token)
    assert deleted.status_code == 200
    assert list(deleted.json()) == ["note_id", "deleted_at"]
    assert deleted.json()["note_id"] == note["note_id"]
    assert api("GET", path, token).json() == []
    assert api("GET", f"{path}/{note['note_id']}", token).status_code == 404
    events = tenant.audit_events.filter(target_component="notes").order_by("sequence")
    assert [event.summary for event in events] == ["Note created", "Note edited", "Note deleted"]


def test_the_newest_note_comes_first(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    for content in ("first", "second"):
        NoteFactory.create(tenant=tenant, device=device, content=content)
    NoteFactory.create(tenant=tenant, content="about another device")
    notes = api("GET", f"/api/v1/devices/{device.uuid}/notes", token).json()
    assert [note["content"] for note in notes] == ["second", "first"]


def test_a_note_is_found_under_its_own_device_only(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    note, other = NoteFactory.create(tenant=tenant), DeviceFactory.create(tenant=tenant)
    path = f"/api/v1/devices/{other.uuid}/notes/{note.uuid}"
    for method, json in (("GET", None), ("PATCH", {"content": "x"}), ("DELETE", None)):
        assert api(method, path, token, json=json).status_code == 404


@pytest.mark.parametrize("content", [None, "", "   ", "x" * 20_001])
def test_a_note_says_something(content: str | None, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    answer = api("POST", f"/api/v1/devices/{device.uuid}/notes", token, json={"content": content})
    assert (answer.status_code, list(answer.json())) == (400, ["content"])
    assert not tenant.device_notes.exists()
