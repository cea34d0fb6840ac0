from pydantic import Field

from devices.commands.settings_switch import SettingsSwitch, SwitchBody
from devices.models import MOBILE


class ToggleDataRoamingBody(SwitchBody):
    enabled: bool = Field(title="Data roaming", description="Turns data roaming on or off.")


class ToggleDataRoaming(SettingsSwitch[ToggleDataRoamingBody]):
    id = "toggle_data_roaming"
    order = 200
    action = "toggledataroaming"
    label = "Set Data Roaming"
    title = "Turn data roaming on or off"
    switch = "data roaming"
    about = "Turn data roaming of an iPhone or iPad on or off"
    body = ToggleDataRoamingBody
    icon = "globe"
    consequence = "Data roaming is turned on or off. While it is on, use abroad may cost money."
    platforms = MOBILE
    command_type = "DataRoaming"
