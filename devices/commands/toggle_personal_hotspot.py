from devices.commands.settings_switch import SettingsSwitch
from devices.models import MOBILE


class TogglePersonalHotspot(SettingsSwitch):
    id = "toggle_personal_hotspot"
    action = "togglepersonalhotspot"
    label = "Set Personal Hotspot"
    about = "Turn Personal Hotspot of an iPhone or iPad on or off"
    platforms = MOBILE
    command_type = "PersonalHotspot"
