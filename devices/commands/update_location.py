from devices.commands.base import Command, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, DeviceCommand


class UpdateLocation(Command[None]):
    id = "update_location"
    action = "updatelocation"
    label = "Update Location"
    about = "Ask an iPhone or iPad that is in Lost Mode where it is"
    platforms = MOBILE
    command_type = "DeviceLocation"

    def sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.note_location(device=row.device, status=lost_mode.PENDING)

    def completed(self, row: DeviceCommand) -> None:
        lost_mode.note_location(device=row.device, status=lost_mode.COMPLETED, answer=row.metadata)

    def failed(self, row: DeviceCommand) -> None:
        lost_mode.note_location(device=row.device, status=lost_mode.ERROR)
