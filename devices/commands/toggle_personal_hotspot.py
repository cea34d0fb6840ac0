from pydantic import Field

from devices.commands.settings_switch import SettingsSwitch, SwitchBody
from devices.models import MOBILE


class TogglePersonalHotspotBody(SwitchBody):
    enabled: bool = Field(title="Personal Hotspot", description="Turns Personal Hotspot on or off.")


class TogglePersonalHotspot(SettingsSwitch[TogglePersonalHotspotBody]):
    id = "toggle_personal_hotspot"
    order = 190
    action = "togglepersonalhotspot"
    label = "Set Personal Hotspot"
    title = "Turn Personal Hotspot on or off"
    switch = "Personal Hotspot"
    about = "Turn Personal Hotspot of an iPhone or iPad on or off"
    body = TogglePersonalHotspotBody
    icon = "wifi"
    consequence = "Personal Hotspot is turned on or off. The user can change it in Settings."
    platforms = MOBILE
    command_type = "PersonalHotspot"
