from typing import Any

from devices.commands.base import AppleBody, Command, MenuGroup, Request
from devices.models import Device, DeviceCommand


class SwitchBody(AppleBody):
    enabled: bool


def item_errors(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The errors of single items of Apple's Settings, which an answer as a whole says nothing of."""
    items = answer.get("Settings")
    errors = []
    for item in items if isinstance(items, list) else [items]:  # Apple documents a dict, and devices send a list
        if isinstance(item, dict) and item.get("Status") == "Error":
            chain = item.get("ErrorChain")
            first = chain[0] if isinstance(chain, list) and chain and isinstance(chain[0], dict) else {}
            text = str(first.get("LocalizedDescription") or f"The device refused the setting {item.get('Item', '')}.")
            code = first.get("ErrorCode")
            errors.append(
                {
                    "code": code if isinstance(code, int) else 0,
                    "domain": str(first.get("ErrorDomain", "")),
                    "localized_description": text,
                    "us_english_description": str(first.get("USEnglishDescription") or text),
                }
            )
    return errors


class SettingsSwitch[B: SwitchBody](Command[B], abstract=True):
    """A command that turns one item of Apple's Settings on or off. Its `command_type` is the item."""

    group = MenuGroup.SETTINGS

    def parameters_in_words(self, row: DeviceCommand) -> list[tuple[str, str]]:
        on = any(item.get("Enabled") for item in row.payload.get("Settings", []))
        return [(self.switch, "On" if on else "Off")]

    def refusal(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        return item_errors(answer)

    def request(self, device: Device, body: B) -> Request:
        return Request(type="Settings", parameters={"Settings": [{"Item": self.command_type, "Enabled": body.enabled}]})
