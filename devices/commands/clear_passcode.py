from devices.commands.base import Command
from devices.models import MOBILE


class ClearPasscode(Command[None]):
    id = "clear_passcode"
    action = "clearpasscode"
    label = "Clear Passcode"
    about = "Remove the passcode of an iPhone or iPad"
    platforms = MOBILE
    # Apple's UnlockToken is added when it is delivered: the device hands it over on enrolling, and it is a secret.
    command_type = "ClearPasscode"
    sensitive = True
