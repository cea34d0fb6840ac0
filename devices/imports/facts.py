"""What rows of an import say, once they are read: about one device, and nothing that they leave out."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from devices.models import DeviceSecret


class BlueprintRef(NamedTuple):
    uuid: UUID | None
    name: str


class Person(NamedTuple):
    """An assigned user as a row names them. What it does not say is None or empty."""

    uuid: UUID | None
    name: str
    email: str
    archived: bool


class NoteFacts(NamedTuple):
    uuid: UUID
    content: str
    author: str
    created_at: datetime
    updated_at: datetime


class CommandFacts(NamedTuple):
    """A command that another server queued, under the names of DeviceCommand."""

    uuid: UUID
    command_type: str
    request_type: str
    metadata: dict[str, Any]
    status: int
    attempts: int
    priority: int
    requires_network_tether: bool
    error_chain: list[dict[str, Any]]
    date_requested: datetime
    last_pushed: datetime
    date_completed: datetime | None


class PastBlueprint(NamedTuple):
    """The blueprint that a device was in when something happened to it."""

    id: UUID
    name: str
    is_removed: bool


class ActivityFacts(NamedTuple):
    id: int
    created_at: datetime
    action_type: str
    blueprint: PastBlueprint | None
    blueprint_routing: bool
    details: dict[str, Any]


class LostModeFacts(NamedTuple):
    """Under the names of LostMode. What a row does not say is empty or None."""

    status: str
    enabled_by: str
    message: str
    phone_number: str
    footnote: str
    disable_status: str
    disabled_by: str
    location_status: str
    latitude: str
    longitude: str
    sound_status: str
    enable_status_at: datetime | None
    disable_status_at: datetime | None
    location_status_at: datetime | None
    location_at: datetime | None
    sound_status_at: datetime | None


@dataclass(slots=True)
class DeviceRow:
    """What one row says about one device. Only what it says: `facts` holds no attribute that the row leaves out."""

    uuid: UUID | None
    serial_number: str
    facts: dict[str, Any] = field(default_factory=dict)  # attributes of Device
    weak: dict[str, Any] = field(default_factory=dict)  # the same, for attributes that are still empty
    blueprint: BlueprintRef | None = None
    says_user: bool = False
    user: Person | None = None
    tags: frozenset[str] | None = None
    reported: dict[str, Any] = field(default_factory=dict)  # attributes of DeviceInventory
    says_lost_mode: bool = False
    lost_mode: LostModeFacts | None = None
    notes: list[NoteFacts] = field(default_factory=list)
    commands: list[CommandFacts] = field(default_factory=list)
    activity: list[ActivityFacts] = field(default_factory=list)
    secrets: dict[DeviceSecret.Kind, str] = field(default_factory=dict, repr=False)
    adds: bool = False  # to a device, which another row must have made

    @property
    def weight(self) -> int:
        """How much it takes to hold and to write it, in rows."""
        return 1 + len(self.notes) + len(self.commands) + len(self.activity)
