"""Commands to devices, one file for each: who takes it, what it needs, and the request it becomes."""

from typing import Any

from devices.commands.base import Command, CommandRefused, Request
from devices.commands.clear_passcode import ClearPasscode
from devices.commands.daily_checkin import DailyCheckIn
from devices.commands.delete_user import DeleteUser
from devices.commands.disable_lost_mode import DisableLostMode
from devices.commands.enable_lost_mode import EnableLostMode
from devices.commands.erase import EraseDevice
from devices.commands.lock import LockDevice
from devices.commands.play_lost_mode_sound import PlayLostModeSound
from devices.commands.refresh_cellular_plans import RefreshCellularPlans
from devices.commands.reinstall_agent import ReinstallAgent
from devices.commands.remote_desktop import RemoteDesktop
from devices.commands.renew_mdm_profile import RenewMdmProfile
from devices.commands.reset_work_profile_passcode import ResetWorkProfilePasscode
from devices.commands.restart import RestartDevice
from devices.commands.send_blankpush import SendBlankPush
from devices.commands.set_device_name import SetDeviceName
from devices.commands.shutdown import ShutDownDevice
from devices.commands.toggle_data_roaming import ToggleDataRoaming
from devices.commands.toggle_personal_hotspot import TogglePersonalHotspot
from devices.commands.unlock_account import UnlockAccount
from devices.commands.update_inventory import UpdateInventory
from devices.commands.update_location import UpdateLocation

__all__ = ["COMMANDS", "Command", "CommandRefused", "Request"]

# By id, in the order in which the permission editor shows them.
COMMANDS: dict[str, Command[Any]] = {
    command.id: command
    for command in (
        EnableLostMode(),
        DisableLostMode(),
        PlayLostModeSound(),
        UpdateLocation(),
        ClearPasscode(),
        ResetWorkProfilePasscode(),
        DeleteUser(),
        EraseDevice(),
        LockDevice(),
        RefreshCellularPlans(),
        ReinstallAgent(),
        RemoteDesktop(),
        RenewMdmProfile(),
        RestartDevice(),
        SendBlankPush(),
        SetDeviceName(),
        TogglePersonalHotspot(),
        ToggleDataRoaming(),
        ShutDownDevice(),
        UpdateInventory(),
        DailyCheckIn(),
        UnlockAccount(),
    )
}
