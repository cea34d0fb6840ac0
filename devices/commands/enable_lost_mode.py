from typing import Annotated

from pydantic import StringConstraints

from devices.commands.base import AppleBody, Command, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, DeviceCommand

type Text = Annotated[str, StringConstraints(max_length=1000)]


class EnableLostModeBody(AppleBody):
    """What the lock screen shows meanwhile."""

    message: Text | None = None
    phone_number: Annotated[str, StringConstraints(max_length=100)] | None = None
    footnote: Text | None = None


class EnableLostMode(Command[EnableLostModeBody]):
    id = "enable_lost_mode"
    action = "enablelostmode"
    label = "Enable Lost Mode"
    about = "Lock an iPhone or iPad in Lost Mode, with a message to whoever finds it"
    platforms = MOBILE
    command_type = "EnableLostMode"
    body = EnableLostModeBody
    sensitive = True

    def sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.requested(
            device=row.device,
            by=row.requested_by,
            message=request.parameters.get("Message", ""),
            phone_number=request.parameters.get("PhoneNumber", ""),
            footnote=request.parameters.get("Footnote", ""),
        )

    def completed(self, row: DeviceCommand) -> None:
        lost_mode.enabled(device=row.device)

    def failed(self, row: DeviceCommand) -> None:
        lost_mode.failed(device=row.device)
