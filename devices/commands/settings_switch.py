from devices.commands.base import AppleBody, Command, MenuGroup, Request
from devices.models import Device, DeviceCommand


class SwitchBody(AppleBody):
    enabled: bool


class SettingsSwitch[B: SwitchBody](Command[B], abstract=True):
    """A command that turns one item of Apple's Settings on or off. Its `command_type` is the item."""

    group = MenuGroup.SETTINGS

    def parameters_in_words(self, row: DeviceCommand) -> list[tuple[str, str]]:
        on = any(item.get("Enabled") for item in row.payload.get("Settings", []))
        return [(self.switch, "On" if on else "Off")]

    def request(self, device: Device, body: B) -> Request:
        return Request(type="Settings", parameters={"Settings": [{"Item": self.command_type, "Enabled": body.enabled}]})
