"""What every command has in common, and the three languages that devices are spoken to in."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_pascal

from devices.inputs import Body
from devices.models import Device, DeviceCommand, Platform


class CommandRefused(Exception):
    """A command that is not sent. The message is the one that the public API answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as a device is given it.

    `type` is Apple's RequestType, the configuration service provider of Windows, or the command type of the Android
    Management API. `secret` is what the device needs and the queue must not hold.
    """

    type: str
    parameters: dict[str, Any] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)


class AppleBody(Body):
    """A body whose fields are called as in Apple's MDM protocol: `phone_number` is `PhoneNumber`."""

    model_config = ConfigDict(alias_generator=to_pascal)


class Command[B]:
    """A command that administrators and integrations can send to a device. `B` is its body, None where it has none."""

    id: str  # of the operation and its permission, and in the queue
    action: str  # the last part of its path
    label: str
    about: str
    platforms: frozenset[Platform]
    command_type: str  # what it is called on every platform; to Apple's devices mostly the RequestType too
    body: type[B] | None = None
    sensitive = False  # whether it takes data or access from whoever holds the device
    already_running = "Command already running"
    secret_key = ""  # the parameter in which the device receives the request's secret
    tells_pin = False  # whether the secret is a PIN that the sender is told, once

    def check(self, device: Device) -> None:
        """Raises CommandRefused for a device in whose state the command has no place."""

    def request(self, device: Device, body: B) -> Request:
        """What this device is given for this body: unless a command says otherwise, the body under Apple's names.

        Raises ValidationError for what only this device does not take, and CommandRefused.
        """
        return Request(type=self.command_type, parameters=given(body))

    def sent(self, row: DeviceCommand, request: Request) -> None:
        """What follows from its being in the queue, in the same transaction. `row.device` is locked here and below."""

    def completed(self, row: DeviceCommand) -> None:
        """What follows from its having been carried out."""

    def failed(self, row: DeviceCommand) -> None:
        """What follows from the device's refusal."""


def given(body: Any) -> dict[str, Any]:
    """The fields of a body that are not null, under the names in which they came."""
    return body.model_dump(by_alias=True, exclude_none=True) if isinstance(body, Body) else {}


def csp(name: str, verb: Literal["Exec", "Get", "Replace"], uri: str, data: str | None = None) -> Request:
    """A SyncML command to a node of the configuration service provider `name` of Windows."""
    return Request(type=name, parameters={verb: {"LocURI": uri} | ({} if data is None else {"Data": data})})


def amapi(type: str, **parameters: Any) -> Request:
    """A command of the Android Management API; parameters that are None or empty are left out."""
    return Request(type=type, parameters={name: value for name, value in parameters.items() if value})
