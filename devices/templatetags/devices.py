"""What our templates say about devices, their commands and Blueprints."""

from django import template

from devices.commands import COMMANDS
from devices.forms.blueprints import COLORS
from devices.forms.devices import PLATFORMS
from devices.models import Blueprint, Device, DeviceCommand

register = template.Library()

# Our pictures for the icons that the API names.
PICTURES = {
    "ss-brush": "brush",
    "ss-code": "code",
    "ss-desktop": "monitor",
    "ss-flag": "flag",
    "ss-layers": "layers",
    "ss-lock": "lock",
    "ss-phone": "smartphone",
    "ss-tv": "tv",
    "ss-users": "users",
}


@register.filter
def command_label(command: DeviceCommand) -> str:
    """As the menu calls it; what no version of ours has sent keeps its own name."""
    known = COMMANDS.get(command.command)
    return known.label if known else command.command_type


@register.filter
def platform(device: Device) -> str:
    return PLATFORMS.get(device.platform, device.platform)


@register.filter
def picture(blueprint: Blueprint) -> str:
    return PICTURES.get(blueprint.icon, "layers")


@register.filter
def tint(blueprint: Blueprint) -> str:
    """The class of its color; that of none for a color we have no tint of."""
    return f"tint-{blueprint.color.split('-')[0]}" if blueprint.color in COLORS else "tint-none"
