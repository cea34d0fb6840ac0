from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import LIST_HEADERS, list_headers
from devices.api.rendering import ResponseWithHeaders
from devices.api.routing import Doc, Router
from devices.api.schemas.notes import DeletedNote, NoteBody, NoteOut
from devices.api.sections import DEVICE_INFORMATION
from devices.dates import zulu
from devices.fleet import notes as services

router = Router(DEVICE_INFORMATION)


@router.operation(
    "GET",
    "/devices/{device_id}/notes",
    id="list_device_notes",
    label="Device notes",
    about="Get a list of the notes about a device",
    response=list[NoteOut],
    doc=Doc(headers=LIST_HEADERS),
)
def list_device_notes(request: ApiRequest, device_id: UUID) -> ResponseWithHeaders:
    device = request.tenant.devices.only("pk").get(uuid=device_id)
    notes = [NoteOut.of(note) for note in device.notes.order_by("-created_at", "-pk")]
    return ResponseWithHeaders(notes, list_headers(len(notes)))


@router.operation(
    "POST",
    "/devices/{device_id}/notes",
    id="create_device_note",
    label="Create note",
    about="Create a note about a device",
    response=NoteOut,
    status=201,
)
def create_device_note(request: ApiRequest, device_id: UUID, body: NoteBody) -> NoteOut:
    return NoteOut.of(
        services.create_note(tenant=request.tenant, device_id=device_id, content=body.content, actor=request.actor)
    )


@router.operation(
    "GET",
    "/devices/{device_id}/notes/{note_id}",
    id="get_device_note",
    label="Get note",
    about="Get one note about a device",
    response=NoteOut,
)
def get_device_note(request: ApiRequest, device_id: UUID, note_id: UUID) -> NoteOut:
    return NoteOut.of(request.tenant.device_notes.get(device__uuid=device_id, uuid=note_id))


@router.operation(
    "PATCH",
    "/devices/{device_id}/notes/{note_id}",
    id="update_device_note",
    label="Update note",
    about="Replace what a note about a device says",
    response=NoteOut,
)
def update_device_note(request: ApiRequest, device_id: UUID, note_id: UUID, body: NoteBody) -> NoteOut:
    return NoteOut.of(
        services.update_note(
            tenant=request.tenant, device_id=device_id, note_id=note_id, content=body.content, actor=request.actor
        )
    )


@router.operation(
    "DELETE",
    "/devices/{device_id}/notes/{note_id}",
    id="delete_device_note",
    label="Delete note",
    about="Delete a note about a device",
    response=DeletedNote,
)
def delete_device_note(request: ApiRequest, device_id: UUID, note_id: UUID) -> DeletedNote:
    deleted_at = services.delete_note(tenant=request.tenant, device_id=device_id, note_id=note_id, actor=request.actor)
    return DeletedNote(note_id=note_id, deleted_at=zulu(deleted_at))
