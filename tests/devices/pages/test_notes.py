import pytest

from access.models import Role, Tenant
from devices.models import Device, DeviceNote
from tests.devices.pages.browsing import HTMX, XSS, SignIn, newest, on, page, text
from tests.factories.devices import DeviceFactory, NoteFactory

pytestmark = pytest.mark.django_db


def test_a_note_is_written_edited_and_deleted(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.HELP_DESK)
    notes = page("device-notes", mac)
    assert client.post(page("note-create", mac), {"content": f"First\n{XSS}"})["Location"] == notes
    note = mac.notes.get()
    content = text(client.get(notes))
    assert "First" in content
    assert XSS not in content
    response = client.post(page("note-edit", mac, note.uuid), {"content": "Second"}, headers=on(notes))
    assert "notes-changed" in response["HX-Trigger"]
    assert newest(tenant).summary == "Note edited"
    assert "edited" in text(client.get(notes))
    assert "Second" in text(client.get(page("note-delete", mac, note.uuid)))
    assert client.post(page("note-delete", mac, note.uuid))["Location"] == notes
    assert not mac.notes.exists()
    assert newest(tenant).summary == "Note deleted"


def test_an_empty_note_is_sent_back(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    for url in (
        page("note-create", mac),
        page("note-edit", mac, NoteFactory.create(device=mac, tenant=mac.tenant).uuid),
    ):
        response = client.post(url, {"content": "  "}, headers=HTMX)
        assert response.status_code == 422
        assert "Write something first." in text(response)
        assert "<html" not in text(response)
    response = client.post(page("note-create", mac), {"content": ""})
    assert response.status_code == 422
    assert "<html" in text(response)


def test_auditors_read_notes_and_write_none(mac: Device, sign_in: SignIn) -> None:
    note = NoteFactory.create(device=mac, tenant=mac.tenant, content="Screen replaced.")
    client = sign_in(Role.AUDITOR)
    content = text(client.get(page("device-notes", mac)))
    assert "Screen replaced." in content
    assert "Add note" not in content
    for url in (page("note-create", mac), page("note-edit", mac, note.uuid), page("note-delete", mac, note.uuid)):
        assert client.post(url, {"content": "x"}).status_code == 403
    assert DeviceNote.objects.get().content == "Screen replaced."


def test_a_note_belongs_to_its_device(mac: Device, sign_in: SignIn) -> None:
    note = NoteFactory.create(device=mac, tenant=mac.tenant)
    another = DeviceFactory.create(tenant=mac.tenant)
    assert sign_in().get(page("note-edit", another, note.uuid)).status_code == 404
