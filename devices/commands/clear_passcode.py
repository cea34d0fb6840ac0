import base64
from typing import Any

from devices.commands.base import CannotDeliver, Command, MenuGroup
from devices.fleet.secrets import reveal_to_device
from devices.models import MOBILE, DeviceCommand, DeviceSecret


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

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        token = reveal_to_device(device=row.device, kind=DeviceSecret.Kind.UNLOCK_TOKEN)
        if token is None:
            raise CannotDeliver("The device has given no unlock token. It gives one if it has a passcode.")
        return super().delivered(row, secret) | {"UnlockToken": base64.b64decode(token)}
