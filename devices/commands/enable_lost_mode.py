from typing import Any

from pydantic import Field

from devices.commands.base import AppleBody, Command, MenuGroup, Request
from devices.fleet import lost_mode
from devices.models import MOBILE, Device, DeviceCommand


class EnableLostModeBody(AppleBody):
    """Texts that the lock screen shows while the device is in Lost Mode."""

    message: str | None = Field(
        default=None, max_length=1000, description="The text on the lock screen, at most 1,000 characters."
    )
    phone_number: str | None = Field(
        default=None, max_length=100, description="The finder of the device can call this number from the lock screen."
    )
    footnote: str | None = Field(
        default=None, max_length=1000, description="A text below the others, at most 1,000 characters."
    )


class EnableLostMode(Command[EnableLostModeBody]):
    id = "enable_lost_mode"
    order = 10
    action = "enablelostmode"
    label = "Enable Lost Mode"
    title = "Enable Lost Mode"
    about = "Lock an iPhone or iPad in Lost Mode, with a message for its finder"
    sensitive = True
    body = EnableLostModeBody
    group = MenuGroup.LOST_MODE
    icon = "map-pin"
    consequence = "The device locks and shows your message. It cannot be used until Lost Mode is disabled."
    dangerous = True
    platforms = MOBILE
    command_type = "EnableLostMode"
    rank = 0
    form_needs_one_of = ("Message", "PhoneNumber")
    form_needs_one_of_help = "Write a message, a phone number, or both."
    form_needs_one_of_error = "Write a message or a phone number, so that a finder knows what to do."

    def title_for(self, device: Device, direction: str = "") -> str:
        return "Change Lost Mode text" if device.lost_mode_status and not self.is_offered(device) else self.title

    def is_offered(self, device: Device) -> bool:
        waits_or_is_on = device.lost_mode_status and not lost_mode.could_not_enable(device)
        return super().is_offered(device) and not waits_or_is_on

    def initial_for(self, device: Device) -> dict[str, Any]:
        shown = getattr(device, "lost_mode", None)
        texts = shown and {"Message": shown.message, "PhoneNumber": shown.phone_number, "Footnote": shown.footnote}
        return texts or {}

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        command = super().delivered(row, secret)
        if not command.get("Message") and not command.get("PhoneNumber"):
            # Apple's devices refuse Lost Mode without one of them. The public API takes it.
            model = row.device.model or row.device.get_platform_display()
            command["Message"] = f"This {model} is lost. Please return it to {row.device.tenant.name}."
        return command

    def on_sent(self, row: DeviceCommand, request: Request) -> None:
        lost_mode.requested(
            device=row.device,
            by=row.requested_by,
            message=request.parameters.get("Message", ""),
            phone_number=request.parameters.get("PhoneNumber", ""),
            footnote=request.parameters.get("Footnote", ""),
        )

    def on_completed(self, row: DeviceCommand) -> None:
        lost_mode.enabled(device=row.device)

    def on_failed(self, row: DeviceCommand) -> None:
        lost_mode.failed(device=row.device)

    def on_cancelled(self, row: DeviceCommand) -> None:
        lost_mode.request_cancelled(device=row.device)
