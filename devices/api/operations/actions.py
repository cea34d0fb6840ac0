"""Device actions: deleting a device, and one operation for each command."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse

from devices.api.identity import ApiRequest
from devices.api.pagination import LimitOffset, paginate
from devices.api.rendering import no_content
from devices.api.routing import Doc, Router
from devices.api.schemas.actions import CommandOut, DeviceCommands, LockedMac
from devices.api.sections import DEVICE_ACTIONS
from devices.commands import COMMANDS, Command
from devices.commands.queue import cancel_command, send_command
from devices.fleet import devices as services

router = Router(DEVICE_ACTIONS)


@router.operation(
    "DELETE",
    "/devices/{device_id}",
    id="delete_device",
    label="Delete Device",
    about="Delete the record of a device",
    sensitive=True,
    status=204,
)
def delete_device(request: ApiRequest, device_id: UUID) -> None:
    services.delete_device(tenant=request.tenant, device_id=device_id, actor=request.actor)


@router.operation(
    "GET",
    "/devices/{device_id}/commands",
    id="get_device_commands",
    label="Get Device Commands",
    about="Get a list of the commands that were sent to a device, with their status",
    response=DeviceCommands,
)
def get_device_commands(request: ApiRequest, device_id: UUID, query: LimitOffset) -> DeviceCommands:
    device = request.tenant.devices.only("uuid").get(uuid=device_id)
    commands = paginate(request, device.commands.newest_first(), query, CommandOut.of)
    return DeviceCommands(device_id=device_id, commands=commands)


@router.operation(
    "DELETE",
    "/devices/{device_id}/commands/{command_id}",
    id="cancel_device_command",
    label="Cancel Device Command",
    about="Take a command out of the queue of a device that has not received it",
    status=204,
    ours=True,
    doc=Doc(refuses=True),
)
def cancel_device_command(request: ApiRequest, device_id: UUID, command_id: UUID) -> None:
    cancel_command(tenant=request.tenant, device_id=device_id, command_uuid=command_id, actor=request.actor)


def declare(router: Router, command: Command[Any]) -> None:
    """Declare the operation that sends the command."""

    @router.operation(
        "POST",
        f"/devices/{{device_id}}/action/{command.action}",
        id=command.id,
        label=command.label,
        about=command.about,
        sensitive=command.sensitive,
        body=command.body,
        response=LockedMac if command.reveals_pin else None,
        doc=Doc(answer="The PIN of a Mac; an empty body for other platforms" if command.reveals_pin else ""),
    )
    def send(request: ApiRequest, device_id: UUID, **inputs: Any) -> LockedMac | HttpResponse:
        sent = send_command(
            tenant=request.tenant,
            device_id=device_id,
            command=command,
            body=inputs.get("body"),
            actor=request.actor,
        )
        return LockedMac(PIN=sent.pin) if sent.pin else no_content(200)


for _command in COMMANDS.values():
    declare(router, _command)

# The permission editor shows the three operations above between the commands.
_ORDER = {"delete_device": 70, "get_device_commands": 100, "cancel_device_command": 101} | {
    id: command.order for id, command in COMMANDS.items()
}
router.operations.sort(key=lambda operation: _ORDER[operation.id])
