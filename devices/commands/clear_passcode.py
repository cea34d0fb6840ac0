from devices.commands.base import Command, MenuGroup
from devices.models import MOBILE


class ClearPasscode(Command[None]):
    id = "clear_passcode"
    order = 50
    action = "clearpasscode"
    label = "Clear Passcode"
    title = "Clear passcode"
    about = "Remove the passcode of an iPhone or iPad"
    sensitive = True
    group = MenuGroup.SECURITY
    icon = "lock-open"
    consequence = "The passcode is removed. Anyone who holds the device can open it until a new passcode is set."
    platforms = MOBILE
    # Apple's UnlockToken is added on delivery: the device hands it over when it enrolls, and it is a secret.
    command_type = "ClearPasscode"
