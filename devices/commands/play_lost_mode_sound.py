from devices.commands.base import Command, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, DeviceCommand


class PlayLostModeSound(Command[None]):
    id = "play_lost_mode_sound"
    action = "playlostmodesound"
    label = "Play Lost Mode Sound"
    about = "Play a sound on an iPhone or iPad that is in Lost Mode"
    platforms = MOBILE
    command_type = "PlayLostModeSound"

    def sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.note_sound(device=row.device, status=lost_mode.PENDING)

    def completed(self, row: DeviceCommand) -> None:
        lost_mode.note_sound(device=row.device, status=lost_mode.COMPLETED)

    def failed(self, row: DeviceCommand) -> None:
        lost_mode.note_sound(device=row.device, status=lost_mode.ERROR)
