"""How the commands look in the menu of a device, and what each of them will do there, in one sentence."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from devices.commands import COMMANDS, Command
from devices.models import Device, Platform

GROUPS = ("Manage", "Settings", "Lost Mode", "Security", "Erase")


@dataclass(frozen=True, slots=True)
class Look:
    """`consequence` is what happens on every platform, where `on` says nothing else. `lost` is only for lost mode."""

    group: str
    icon: str
    consequence: str
    on: dict[str, str] | None = None
    danger: bool = False
    lost: bool = False

    def consequence_on(self, platform: str) -> str:
        return (self.on or {}).get(platform, self.consequence)


LOOKS: dict[str, Look] = {
    "enable_lost_mode": Look(
        "Lost Mode",
        "map-pin",
        "The device locks with your message on its screen, and nobody can use it until Lost Mode is disabled.",
    ),
    "disable_lost_mode": Look(
        "Lost Mode",
        "map-pin-off",
        "The device unlocks for whoever knows its passcode, and what it told about its location is forgotten.",
        lost=True,
    ),
    "play_lost_mode_sound": Look(
        "Lost Mode", "volume-2", "The device plays a sound for two minutes, even if it is muted.", lost=True
    ),
    "update_location": Look(
        "Lost Mode", "locate", "The device reports where it is. Its user will be told once Lost Mode ends.", lost=True
    ),
    "clear_passcode": Look(
        "Security",
        "lock-open",
        "The passcode is removed: whoever holds the device can open it until a new one is set.",
        danger=True,
    ),
    "reset_work_profile_passcode": Look(
        "Security",
        "key-round",
        "The passcode of the work profile is replaced, or removed. The one in use stops working.",
        danger=True,
    ),
    "delete_user_on_device": Look(
        "Erase",
        "user-x",
        "The account and all files in its home folder are deleted. This cannot be undone.",
        on={Platform.IPAD: "The user and their data on this iPad are deleted. What was not synced is lost."},
        danger=True,
    ),
    "erase_device": Look(
        "Erase",
        "eraser",
        "Everything on the device is erased, and it is not managed until it is enrolled again. "
        "This cannot be undone once the device has received it.",
        danger=True,
    ),
    "lock_device": Look(
        "Security",
        "lock",
        "The screen locks at once. The passcode of the device opens it.",
        on={
            Platform.MAC: "The Mac restarts and stays locked until somebody types a six-digit PIN into it. "
            "You see the PIN after this step, and later under Secrets; what is not saved on the Mac is lost."
        },
        danger=True,
    ),
    "refresh_cellular_plans": Look(
        "Settings",
        "card-sim",
        "The device asks the carrier's server for its eSIM plans, and installs what it is given.",
    ),
    "reinstall_agent": Look(
        "Manage", "package-plus", "The agent is downloaded and installed over the one that is there. Nothing is lost."
    ),
    "remote_desktop": Look(
        "Settings",
        "screen-share",
        "Remote Management is switched. While it is on, people with rights on this Mac can see and control its screen.",
    ),
    "renew_mdm_profile": Look(
        "Manage",
        "refresh-cw",
        "The device gets its enrolment profile again, with a new certificate. It stays enrolled.",
    ),
    "restart_device": Look(
        "Manage",
        "rotate-cw",
        "The device restarts as soon as it receives this. What is not saved on it is lost.",
    ),
    "send_blankpush": Look(
        "Manage", "bell", "The device is woken, and asks whether commands wait for it. Its user notices nothing."
    ),
    "set_device_name": Look(
        "Settings", "pencil", "The device takes the new name. It shows here once the device has confirmed it."
    ),
    "toggle_personal_hotspot": Look(
        "Settings", "wifi", "Personal Hotspot is switched. The user can switch it back in Settings."
    ),
    "toggle_data_roaming": Look(
        "Settings", "globe", "Data roaming is switched. While it is on, use abroad may cost money."
    ),
    "shutdown_device": Look(
        "Manage",
        "power",
        "The device turns off, and cannot be reached until somebody presses its power button.",
    ),
    "update_inventory": Look(
        "Manage", "clipboard-list", "The device reports its hardware, system and apps anew. Its user notices nothing."
    ),
    "daily_checkin": Look(
        "Manage", "calendar-check", "The device does now what it does once a day: report, and catch up on what is due."
    ),
    "unlock_account": Look(
        "Security", "user-check", "The account can sign in again at once, with the password it has."
    ),
}


@dataclass(frozen=True, slots=True)
class Choice:
    command: Command[Any]
    look: Look


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    choices: list[Choice]


def choices(device: Device) -> list[Group]:
    """The commands that this device takes in its state, as its menu lists them."""
    offered = [
        Choice(command, look)
        for command in COMMANDS.values()
        if device.platform in command.platforms and (not (look := LOOKS[command.id]).lost or device.lost_mode_status)
    ]
    offered.sort(key=lambda choice: GROUPS.index(choice.look.group))
    return [Group(name, list(group)) for name, group in groupby(offered, key=lambda choice: choice.look.group)]
