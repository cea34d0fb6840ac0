"""What is done to a device: its removal, and one operation for each command."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse

from devices.api.pagination import LimitOffset, paginate
from devices.api.rendering import no_content
from devices.api.routing import ApiRequest, Router
from devices.api.schemas.actions import CommandOut, DeviceCommands, LockedMac
from devices.commands import COMMANDS, Command
from devices.commands.queue import send_command
from devices.fleet import devices as services

router = Router(
    area="Devices", section="Device Actions", about="Permissions related to committing actions against a device."
)


def _declare(command: Command[Any]) -> None:
    def send(request: ApiRequest, device_id: UUID, body: Any = None) -> LockedMac | HttpResponse:
        sent = send_command(tenant=request.tenant, device_id=device_id, command=command, body=body, actor=request.actor)
        return LockedMac(PIN=sent.pin) if sent.pin else no_content(200)

    # By its annotation the router knows what to parse as the body; without one, nothing.
    if command.body is None:
        del send.__annotations__["body"]
    else:
        send.__annotations__["body"] = command.body
    router.operation(
        "POST",
        f"/devices/{{device_id}}/action/{command.action}",
        id=command.id,
        label=command.label,
        about=command.about,
        sensitive=command.sensitive,
        response=LockedMac if command.tells_pin else None,
        answer="OK. Empty for what is not a Mac" if command.tells_pin else "",
    )(send)


_undeclared = iter(COMMANDS.values())


def _declare_up_to(id: str) -> None:
    """The next commands of the registry. Two operations that are none stand between them in the editor."""
    for command in _undeclared:
        _declare(command)
        if command.id == id:
            return


_declare_up_to("reset_work_profile_passcode")


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


_declare_up_to("erase_device")


@router.operation(
    "GET",
    "/devices/{device_id}/commands",
    id="get_device_commands",
    label="Get Device Commands",
    about="Get a list of the commands that were sent to a device, and how each is doing",
    response=DeviceCommands,
)
def get_device_commands(request: ApiRequest, device_id: UUID, query: LimitOffset) -> DeviceCommands:
    device = request.tenant.devices.only("uuid").get(uuid=device_id)
    commands = paginate(request, device.commands.newest_first(), query, CommandOut.of)
    return DeviceCommands(device_id=device_id, commands=commands)


_declare_up_to("unlock_account")
