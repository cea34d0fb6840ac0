"""Commands to devices, one file for each. The file is all that a command needs: it is found by being here."""

from typing import Any

from devices.commands.base import CannotDeliver, Command, CommandRefused, QueuedCommand, Request, Superfluous
from devices.commands.registry import declared_commands, in_editor_order

__all__ = [
    "COMMANDS",
    "EVERY_COMMAND",
    "CannotDeliver",
    "Command",
    "CommandRefused",
    "QueuedCommand",
    "Request",
    "Superfluous",
]

# By id, in the order of the permission editor. The names exist before the commands are found: the search imports every
# module of this package, and `queue` uses the names.
COMMANDS: dict[str, Command[Any]] = {}
EVERY_COMMAND: dict[str, QueuedCommand[Any]] = {}  # with those that the server sends by itself
COMMANDS.update(in_editor_order(declared_commands(__name__, __path__, Command)))

from devices.commands.internal import INTERNAL_COMMANDS  # noqa: E402 - a command there may send another one

EVERY_COMMAND.update({**COMMANDS, **INTERNAL_COMMANDS})
