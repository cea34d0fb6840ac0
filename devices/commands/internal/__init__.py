"""Commands that this server sends by itself, one file for each: no operation of the API and no permission has them.

A file is found by being here. Where `Command.request` takes a body, these take what the server knows of the device.
"""

from typing import Any

from devices.commands.base import QueuedCommand
from devices.commands.registry import declared_commands
from devices.models import Order


class InternalCommand(QueuedCommand[None], abstract=True):
    """A command that the server sends by itself. A device has at most one of each `subject` in its queue."""

    rank = 3
    in_activity = False
    asks_inventory = False  # whether the server asks it of every device once a day
    only_supervised = False  # then it follows DeviceInformation, which says whether the device is

    def parameters_in_words(self, row: Any) -> list[tuple[str, str]]:
        return []


def questions(*, but: str = "") -> list[Order]:
    """The questions that the server asks every device once a day; not those that follow from an answer.

    Those that lead to others come first.
    """
    asked = {id: command for id, command in INTERNAL_COMMANDS.items() if command.asks_inventory and id != but}
    found = (id for id, command in asked.items() if not command.only_supervised)
    ordered = sorted(found, key=lambda each: (type(asked[each]).followed_by is QueuedCommand.followed_by, each))
    return [Order(id) for id in ordered]


INTERNAL_COMMANDS: dict[str, InternalCommand] = {}
INTERNAL_COMMANDS.update({each.id: each for each in declared_commands(__name__, __path__, InternalCommand)})
