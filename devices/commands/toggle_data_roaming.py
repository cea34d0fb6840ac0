from devices.commands.settings_switch import SettingsSwitch
from devices.models import MOBILE


class ToggleDataRoaming(SettingsSwitch):
    id = "toggle_data_roaming"
    action = "toggledataroaming"
    label = "Set Data Roaming"
    about = "Turn data roaming of an iPhone or iPad on or off"
    platforms = MOBILE
    command_type = "DataRoaming"
