from devices.commands.base import Command, MenuGroup, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, DeviceCommand


class UpdateLocation(Command[None]):
    id = "update_location"
    order = 40
    action = "updatelocation"
    label = "Update Location"
    title = "Update location"
    about = "Ask an iPhone or iPad in Lost Mode for its location"
    group = MenuGroup.LOST_MODE
    icon = "locate"
    consequence = "The device reports its location. Its user is informed when Lost Mode ends."
    only_in_lost_mode = True
    platforms = MOBILE
    command_type = "DeviceLocation"
    rank = 0

    def on_sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.note_location(device=row.device, status=lost_mode.PENDING)

    def on_completed(self, row: DeviceCommand) -> None:
        lost_mode.note_location(device=row.device, status=lost_mode.COMPLETED, answer=row.metadata)

    def on_failed(self, row: DeviceCommand) -> None:
        lost_mode.note_location(device=row.device, status=lost_mode.ERROR)

    def on_cancelled(self, row: DeviceCommand) -> None:
        lost_mode.note_location(device=row.device, status="")
