from devices.commands.base import Command, MenuGroup, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, DeviceCommand


class PlayLostModeSound(Command[None]):
    id = "play_lost_mode_sound"
    order = 30
    action = "playlostmodesound"
    label = "Play Lost Mode Sound"
    title = "Play Lost Mode sound"
    about = "Play a sound on an iPhone or iPad in Lost Mode"
    group = MenuGroup.LOST_MODE
    icon = "volume-2"
    consequence = "The device plays a sound for two minutes, even if it is muted."
    only_in_lost_mode = True
    platforms = MOBILE
    command_type = "PlayLostModeSound"
    rank = 0
    most_deliveries = 2

    def on_sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.note_sound(device=row.device, status=lost_mode.PENDING)

    def on_completed(self, row: DeviceCommand) -> None:
        lost_mode.note_sound(device=row.device, status=lost_mode.COMPLETED)

    def on_failed(self, row: DeviceCommand) -> None:
        lost_mode.note_sound(device=row.device, status=lost_mode.ERROR)

    def on_cancelled(self, row: DeviceCommand) -> None:
        lost_mode.note_sound(device=row.device, status="")
