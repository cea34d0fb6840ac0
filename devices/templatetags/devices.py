"""What our templates say about devices, their commands and Blueprints."""

from collections.abc import Iterable

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from access.templatetags.access import breakable
from devices.commands import EVERY_COMMAND
from devices.library.kinds import KINDS, kind_of
from devices.models import Blueprint, Device, DeviceCommand, LibraryItem, Platform, Severity, ThreatSeverity
from devices.pages import library, vulnerabilities
from devices.pages.forms.blueprints import COLORS
from devices.pages.forms.devices import PLATFORMS
from devices.text import as_words

register = template.Library()
register.filter(breakable)

SYSTEMS: dict[str, str] = {
    Platform.MAC: "macOS",
    Platform.IPAD: "iPadOS",
    Platform.IPHONE: "iOS",
    Platform.APPLE_TV: "tvOS",
}

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
    """The label in the menu. Unknown and imported commands keep their type."""
    known = EVERY_COMMAND.get(command.command)
    return known.title_of(command) if known else command.command_type


@register.filter
def parameters_in_words(command: DeviceCommand) -> list[tuple[str, str]]:
    """The label and the value of each parameter that was sent, without secrets."""
    known = EVERY_COMMAND.get(command.command)
    return known.parameters_in_words(command) if known and not known.switch else []


@register.filter
def platform(device: Device) -> str:
    return PLATFORMS.get(device.platform, device.platform)


@register.filter
def tag_badges(tags: Iterable[str]) -> SafeString:
    """The names of tags as badges. A page of the list has hundreds, for which the loop of a template takes longer."""
    return format_html_join("\n", '<span class="badge" title="{}">{}</span>', ((tag, tag) for tag in tags))


@register.filter
def system(device: Device) -> str:
    """Its operating system with the version, by the name that its maker gives it."""
    return f"{SYSTEMS.get(device.platform, device.platform)} {device.os_version}"


@register.filter
def severity_label(severity: int) -> str:
    return str(Severity(severity).label)


@register.filter
def severity_tone(severity: int) -> str:
    """The tone of a severity's badge, the same as that of its bar."""
    return vulnerabilities.TONES[Severity(severity)]


@register.filter
def threat_tone(severity: int) -> str:
    return {ThreatSeverity.CRITICAL: "danger", ThreatSeverity.HIGH: "warning"}.get(ThreatSeverity(severity), "")


@register.filter
def is_web_address(text: str) -> bool:
    """Whether a text from outside may be the URL of a link."""
    return text.startswith(("https://", "http://"))


@register.filter
def constant(text: str) -> str:
    """A word of the API, such as custom-app, as people write it."""
    return as_words(text.replace("-", "_"))


@register.filter
def picture(blueprint: Blueprint) -> str:
    return PICTURES.get(blueprint.icon, "layers")


@register.filter
def tint(blueprint: Blueprint) -> str:
    """The class of its color; that of none for a color we have no tint of."""
    return f"tint-{blueprint.color.split('-')[0]}" if blueprint.color in COLORS else "tint-none"


@register.filter
def kind_label(item: LibraryItem) -> str:
    """The label of the item's kind. An unknown type is written in words."""
    return as_words(item.type.replace("-", "_")) if item.type not in KINDS and item.type else kind_of(item).label


@register.filter
def kind_icon(item: LibraryItem) -> str:
    return kind_of(item).icon


@register.filter
def status_tone(status: str) -> str:
    """The tone of a badge for a status of an item on a device."""
    return library.TONES.get(status.upper(), "")


@register.filter
def at_most(number: int, maximum: int) -> int:
    return min(number, maximum)
