from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from devices.api.pagination import Page
from devices.commands.queue import described
from devices.models import DeviceCommand


class LockedMac(BaseModel):
    """The six-digit PIN that unlocks the Mac. Only this answer has it; afterwards, `get_unlock_pin` returns it."""

    PIN: str = Field(repr=False)


class CommandError(BaseModel):
    code: int
    domain: str
    localized_description: str
    us_english_description: str


class CommandOut(BaseModel):
    """`status` is 1 pending, 2 running, 3 completed, 4 failed, 5 postponed by the device.

    A command that was cancelled is listed as failed, with an error of the domain `iru`.
    """

    uuid: UUID
    error_chain: list[CommandError]
    command_type: str
    request_type: str
    metadata: dict[str, Any]
    request_requires_network_tether: bool
    status: int
    attempts: int
    date_requested: str
    date_completed: str | None
    last_pushed: str
    user: None
    priority: int

    @classmethod
    def of(cls, command: DeviceCommand) -> "CommandOut":
        return cls.model_validate(described(command))


class DeviceCommands(BaseModel):
    device_id: UUID
    commands: Page[CommandOut]
