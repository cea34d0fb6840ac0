"""Commands to devices, one file for each. The file is all that a command needs: it is found by being here."""

from typing import Any

from devices.commands.base import Command, CommandRefused, Request
from devices.commands.registry import declared_commands, in_editor_order

__all__ = ["COMMANDS", "Command", "CommandRefused", "Request"]

# By id, in the order of the permission editor. The name exists before the commands are found: the search imports every
# module of this package, and `queue` uses the name.
COMMANDS: dict[str, Command[Any]] = {}
COMMANDS.update(in_editor_order(declared_commands(__name__, __path__)))
