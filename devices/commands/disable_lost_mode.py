from devices.commands.base import Command, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, DeviceCommand


class DisableLostMode(Command[None]):
    id = "disable_lost_mode"
    action = "disablelostmode"
    label = "Disable Lost Mode"
    about = "Take an iPhone or iPad out of Lost Mode"
    platforms = MOBILE
    command_type = "DisableLostMode"
    already_running = "Disable lost mode is already pending for this device."

    def sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.end_requested(device=row.device, by=row.requested_by)

    def completed(self, row: DeviceCommand) -> None:
        lost_mode.ended(device=row.device)

    def failed(self, row: DeviceCommand) -> None:
        lost_mode.end_failed(device=row.device)
