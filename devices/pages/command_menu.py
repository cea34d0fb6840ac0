"""The menu of the commands that a device takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from devices.commands import COMMANDS, Command
from devices.commands.base import MenuGroup
from devices.models import Device

DIRECTIONS = ("on", "off")
POSITIONS = {group: position for position, group in enumerate(MenuGroup)}


@dataclass(frozen=True, slots=True)
class Entry:
    """A command in the menu of a device; in one direction if it turns something on or off."""

    command: Command[Any]
    title: str
    direction: str = ""

    @property
    def query(self) -> str:
        return f"?turn={self.direction}" if self.direction else ""


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    commands: list[Command[Any]]

    @property
    def entries(self) -> list[Entry]:
        return [entry for command in self.commands for entry in entries_of(command)]


def command_menu(device: Device) -> list[Group]:
    """The commands that this device takes in its state, by the groups of its menu."""
    return grouped(command for command in COMMANDS.values() if command.is_offered(device))


def entries_of(command: Command[Any]) -> list[Entry]:
    if not command.switch:
        return [Entry(command, command.title)]
    return [Entry(command, command.titled(direction), direction) for direction in DIRECTIONS]


def grouped(commands: Iterable[Command[Any]]) -> list[Group]:
    """The commands by the groups of the menu, in the order of the menu."""
    offered = sorted(commands, key=lambda command: POSITIONS[command.group])
    return [Group(group, list(each)) for group, each in groupby(offered, key=lambda command: command.group)]
