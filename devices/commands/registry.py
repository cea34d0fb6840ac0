"""Finds the commands in the modules of a package, and puts them in order."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from devices.commands.base import Command, QueuedCommand

UNIQUE = ("id", "action", "order")


def declared_commands[C: QueuedCommand[Any]](package: str, path: Iterable[str], kind: type[C]) -> Iterator[C]:
    """Every command of a kind that a module of the package declares."""
    for found in iter_modules(path, f"{package}."):
        module = import_module(found.name)
        own = (value for value in vars(module).values() if getattr(value, "__module__", None) == found.name)
        for value in own:
            if isinstance(value, type) and issubclass(value, kind) and not value.abstract:
                yield value()


def in_editor_order(commands: Iterable[Command[Any]]) -> dict[str, Command[Any]]:
    """The commands by their ids, in the order of the permission editor.

    Raises ValueError where two commands have the same id, action or order.
    """
    commands = sorted(commands, key=lambda command: command.order)
    for attribute in UNIQUE:
        owners: dict[Any, Command[Any]] = {}
        for command in commands:
            value = getattr(command, attribute)
            other = owners.setdefault(value, command)
            if other is not command:
                names = " and ".join(sorted(type(each).__name__ for each in (command, other)))
                raise ValueError(f"The commands {names} both have the {attribute} {value!r}.")
    return {command.id: command for command in commands}
