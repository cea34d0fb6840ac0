from devices.commands.base import AppleBody, Command, Request
from devices.models import Device


class SwitchBody(AppleBody):
    enabled: bool


class SettingsSwitch(Command[SwitchBody]):
    """A command that turns one item of Apple's Settings on or off; its `command_type` is the item."""

    body = SwitchBody

    def request(self, device: Device, body: SwitchBody) -> Request:
        return Request(type="Settings", parameters={"Settings": [{"Item": self.command_type, "Enabled": body.enabled}]})
