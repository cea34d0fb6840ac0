"""What all commands have in common, and helpers for the three protocols in which devices receive them."""

import inspect
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo

from access.refusals import Refusal
from devices.commands import words
from devices.commands.metadata import small
from devices.inputs import Body
from devices.models import Device, DeviceCommand, Order, Platform


class CommandRefused(Refusal):
    """The command is not sent. The public API answers the message as a bare JSON string.

    `waiting` is the same command in the device's queue, if that is the reason.
    """

    def __init__(self, message: str, *, waiting: DeviceCommand | None = None) -> None:
        super().__init__(message)
        self.waiting = waiting

    def body(self) -> str:
        return str(self)


class MenuGroup(StrEnum):
    """A heading in a device's menu of commands, in the order of that menu."""

    MANAGE = "Manage"
    SETTINGS = "Settings"
    LOST_MODE = "Lost Mode"
    SECURITY = "Security"
    ERASE = "Data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as the device receives it.

    `type` is Apple's RequestType, the configuration service provider of Windows, or the command type of the Android
    Management API. `secret` is a value that the device needs and the queue must not hold.
    """

    type: str
    parameters: dict[str, Any] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)


class AppleBody(Body):
    """A body whose fields have the names of Apple's MDM protocol: `phone_number` is `PhoneNumber`."""

    model_config = ConfigDict(alias_generator=to_pascal)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormHint:
    """What a form needs to know of a field of a body, and the API does not. Belongs into the field's `Annotated`.

    `platforms` are those whose devices use the field; None for all. `choices` are labels for the field's values.
    `accounts`: the value is the name of an account of the device.
    """

    platforms: Set[Platform] | None = None
    accounts: bool = False
    required_on: Set[Platform] = frozenset()
    initial: Any = None
    choices: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, parameter: FieldInfo) -> "FormHint":
        return next((each for each in parameter.metadata if isinstance(each, cls)), cls())


class CannotDeliver(Exception):
    """The device can never carry the command out as things are. The message tells people why."""


class Superfluous(Exception):
    """The device does not need the command any more: it is forgotten."""


class QueuedCommand[B]:
    """A kind of request to a device, as the queue knows it: sent by people, or by this server itself.

    A subclass in this package is registered by being there. The attributes without a default are required: declaring a
    subclass without one raises TypeError. A base of several commands says `abstract=True`.
    """

    id: str  # in the queue
    title: str  # of the action: a verb first, and only proper names with capitals
    platforms: frozenset[Platform]
    command_type: str  # the same on all platforms; for Apple devices mostly the RequestType too
    body: type[B] | None = None
    switch = ""  # the thing that the command turns on or off; the menu then has an entry for each direction
    already_running = "Command already running"
    secret_key = ""  # the parameter in which the device receives the request's secret
    rank = 1  # a device gets the commands of a lower rank first: 0 protects it, 3 can wait
    most_deliveries = 20  # without an answer; a restart is delivered twice, because an answer may have been lost
    tells_facts = False  # whether what the device is to have may depend on the answer
    in_activity = True  # whether the activity of the device has an event when the command ends
    secret_answers: frozenset[str] = frozenset()  # keys of the answer that are stored elsewhere, if at all

    abstract = True

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.abstract = abstract
        if abstract:
            return
        name = f"{cls.__module__}.{cls.__qualname__}"
        bases = [base for base in cls.__mro__ if base.__dict__.get("abstract")]
        required = {attribute for base in bases for attribute in inspect.get_annotations(base)}
        if missing := sorted(attribute for attribute in required if not hasattr(cls, attribute)):
            raise TypeError(f"The command {name} does not declare: {', '.join(missing)}.")

    def titled(self, direction: str = "") -> str:
        """The title of the action in one direction: "on" or "off" for a command that has a `switch`."""
        return f"Turn {direction} {self.switch}" if direction and self.switch else self.title

    def title_of(self, row: DeviceCommand) -> str:
        """The title of the action that was sent, in its direction."""
        sent = self.parameters_in_words(row) if self.switch else []
        return self.titled(sent[0][1].lower()) if sent else self.title

    def parameters_in_words(self, row: DeviceCommand) -> list[tuple[str, str]]:
        """The labels and values of the parameters that were sent to the device. Secrets are not among them."""
        return list(words.in_words(row.payload, words.titles_of(self.body)))

    def request(self, device: Device, body: B) -> Request:
        """The request to this device for this body. By default, the fields of the body are its parameters.

        Raises ValidationError for a value that only this device does not take, and CommandRefused.
        """
        return Request(type=self.command_type, parameters=parameters_of(body))

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        """What an Apple device receives now, without the id of the command: RequestType and parameters.

        `row.device` is locked, here and in the methods below. `secret` is that of the request. Raises CannotDeliver,
        and SecretUnreadable.
        """
        command = {"RequestType": row.request_type, **row.payload}
        return command | {self.secret_key: secret} if self.secret_key and secret is not None else command

    def refusal(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """The errors in an answer whose status is Acknowledged. Empty if the device carried the command out."""
        return []

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        """Store what the device answered where it belongs. Returns the rest, which is kept with the command.

        The rest is small, in JSON values, and without secrets.
        """
        return small({key: value for key, value in answer.items() if key not in self.secret_answers})

    def followed_by(self, row: DeviceCommand) -> Collection[Order]:
        """The commands of this server that the device gets once it has carried this one out."""
        return ()

    def followed_on_failure(self, row: DeviceCommand) -> Collection[Order]:
        """The commands of this server that the device gets once it has refused this one."""
        return ()

    def on_sent(self, row: DeviceCommand, request: Request) -> None:
        """Changes that follow from the command being in the queue, in the same transaction."""

    def on_completed(self, row: DeviceCommand) -> None:
        """Changes that follow from the device having carried out the command."""

    def on_failed(self, row: DeviceCommand) -> None:
        """Changes that follow from the device having refused the command."""

    def on_cancelled(self, row: DeviceCommand) -> None:
        """Changes that undo those of `on_sent`: the command was cancelled before the device had it."""


class Command[B](QueuedCommand[B], abstract=True):
    """A command that administrators and integrations can send to a device. `B` is its body, None where it has none.

    From its attributes follow the operation of the API with its permission, the entry in the menu of a device, and the
    form. A field of the body has its label as `title` and its help text as `description`, which the OpenAPI document
    shows too.
    """

    # The operation of the API. `id` names its permission too; `action` ends its path.
    order: int  # place in the permission editor; steps of ten leave room between two
    action: str
    label: str  # of the permission, as the public API has it
    about: str
    sensitive = False  # whether the holder of the device loses data or access

    # The menu of a device and the dialog behind it. A consequence is a full sentence about what the device will do.
    group: MenuGroup
    icon: str  # of the Lucide set
    consequence: str
    consequence_by_platform: Mapping[str, str] = {}
    dangerous = False  # whether it locks somebody out or deletes stored data: the one rule for the color of danger
    only_in_lost_mode = False
    form_needs_one_of: tuple[str, ...] = ()  # names of fields of which a person fills one; the API takes none of them
    form_needs_one_of_error = ""
    form_needs_one_of_help = ""
    confirm_by_name = False  # whether the name of the device has to be typed first
    confirm_by_password = False  # whether a person has to enter their password again, unless they did so recently
    reveals_pin = False  # whether the secret is a PIN that the sender sees once

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        group: object = getattr(cls, "group", None)
        if not cls.abstract and not isinstance(group, MenuGroup):
            name = f"{cls.__module__}.{cls.__qualname__}"
            raise TypeError(f"The group of the command {name} is {group!r}, which is no MenuGroup.")

    def title_for(self, device: Device, direction: str = "") -> str:
        """The title of the action on this device, in its state."""
        return self.titled(direction)

    def is_offered(self, device: Device) -> bool:
        """Whether the menu of a device has the command. The API answers by `check` and `request`."""
        return device.platform in self.platforms and (bool(device.lost_mode_status) or not self.only_in_lost_mode)

    def initial_for(self, device: Device) -> dict[str, Any]:
        """What the form shows at first, by the names of its fields."""
        return {}

    def consequence_on(self, platform: str) -> str:
        return self.consequence_by_platform.get(platform, self.consequence)

    def check(self, device: Device) -> None:
        """Raises CommandRefused for a device whose state does not allow the command."""


def parameters_of(body: Any) -> dict[str, Any]:
    """The fields of a body that are not null, under their names in the API."""
    return body.model_dump(by_alias=True, exclude_none=True) if isinstance(body, Body) else {}


def csp(name: str, verb: Literal["Exec", "Get", "Replace"], uri: str, data: str | None = None) -> Request:
    """A SyncML command to a node of the configuration service provider `name` of Windows."""
    return Request(type=name, parameters={verb: {"LocURI": uri} | ({} if data is None else {"Data": data})})


def amapi(type: str, **parameters: Any) -> Request:
    """A command of the Android Management API. Parameters that are None or empty are left out."""
    return Request(type=type, parameters={name: value for name, value in parameters.items() if value})
