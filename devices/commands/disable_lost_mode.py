from devices.commands.base import Command, MenuGroup, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, Device, DeviceCommand


class DisableLostMode(Command[None]):
    id = "disable_lost_mode"
    order = 20
    action = "disablelostmode"
    label = "Disable Lost Mode"
    title = "Disable Lost Mode"
    about = "Take an iPhone or iPad out of Lost Mode"
    group = MenuGroup.LOST_MODE
    icon = "map-pin-off"
    consequence = "The device can be unlocked with its passcode again. The location that it reported is deleted."
    only_in_lost_mode = True
    platforms = MOBILE
    command_type = "DisableLostMode"
    rank = 0
    already_running = "Disable lost mode is already pending for this device."

    def is_offered(self, device: Device) -> bool:
        return super().is_offered(device) and not lost_mode.could_not_enable(device)

    def on_sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.end_requested(device=row.device, by=row.requested_by)

    def on_completed(self, row: DeviceCommand) -> None:
        lost_mode.ended(device=row.device)

    def on_failed(self, row: DeviceCommand) -> None:
        lost_mode.end_failed(device=row.device)

    def on_cancelled(self, row: DeviceCommand) -> None:
        lost_mode.end_cancelled(device=row.device)
