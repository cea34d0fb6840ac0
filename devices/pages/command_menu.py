"""The menu of the commands that a device takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from devices.commands import COMMANDS, Command
from devices.commands.base import MenuGroup
from devices.models import Device

POSITIONS = {group: position for position, group in enumerate(MenuGroup)}


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    commands: list[Command[Any]]


def command_menu(device: Device) -> list[Group]:
    """The commands that this device takes in its state, by the groups of its menu."""
    offered = [
        command
        for command in COMMANDS.values()
        if device.platform in command.platforms and (device.lost_mode_status or not command.only_in_lost_mode)
    ]
    return grouped(offered)


def grouped(commands: Iterable[Command[Any]]) -> list[Group]:
    """The commands by the groups of the menu, in the order of the menu."""
    offered = sorted(commands, key=lambda command: POSITIONS[command.group])
    return [Group(group, list(each)) for group, each in groupby(offered, key=lambda command: command.group)]
