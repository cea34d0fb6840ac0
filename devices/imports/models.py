"""What another tenant's API answers about one device, as models.

Fields carry the names of the columns that store them.
"""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from devices.fleet.facts import FACTS
from devices.imports.values import (
    ASCII,
    EMPTY_AS_NONE,
    NULL_AS_EMPTY,
    Blankable,
    Boolean,
    Flag,
    Moment,
    PlatformName,
    Secret,
    column,
)
from devices.models import (
    Blueprint,
    Device,
    DeviceActivity,
    DeviceCommand,
    DeviceNote,
    LibraryItem,
    LibraryStatus,
    LostMode,
    Tag,
    User,
)

type Text = Annotated[str, column(DeviceNote, "content")]  # of any length
type Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class Document(BaseModel):
    """An object of a foreign document. Fields that the model does not name are ignored."""

    model_config = ConfigDict(coerce_numbers_to_str=True, hide_input_in_errors=True)


class Section(Document):
    """An object in which null stands for a field that is not there."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


class NoteIn(Section):
    """A row of `GET /devices/{id}/notes`."""

    uuid: UUID = Field(alias="note_id")
    content: Text = ""
    author: Annotated[str, column(DeviceNote, "author")] = ""
    created_at: Moment
    updated_at: Blankable[Moment] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.updated_at = self.updated_at or self.created_at
        return self


class CommandErrorIn(Section):
    code: Annotated[int, Field(strict=True, ge=-(2**63) + 1, le=2**63 - 1)] = 0
    domain: Text = ""
    localized_description: Text = ""
    us_english_description: Text = ""


class CommandIn(Section):
    """A row of `GET /devices/{id}/commands`: a command that another server queued."""

    uuid: UUID
    command_type: Annotated[str, column(DeviceCommand, "command_type")] = ""
    request_type: Annotated[str, column(DeviceCommand, "request_type")] = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    status: Literal[1, 2, 3, 4, 5]  # the public API has no cancelled commands
    attempts: Count = 0
    priority: Annotated[int, Field(strict=True, ge=0, le=2**15 - 1)] = 0
    requires_network_tether: Flag = Field(default=False, alias="request_requires_network_tether")
    error_chain: list[CommandErrorIn] = Field(default_factory=list)
    date_requested: Moment
    last_pushed: Blankable[Moment] = None
    date_completed: Blankable[Moment] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.command_type = self.command_type or self.request_type
        self.request_type = self.request_type or self.command_type
        self.last_pushed = self.last_pushed or self.date_requested
        return self


class PastBlueprint(Section):
    """The blueprint that a device was in when something happened to it."""

    id: UUID
    name: Annotated[str, column(Blueprint, "name", required=True)]
    is_removed: Flag = False


def _blueprint_section(value: Any) -> Any:
    """None for a blueprint without id or name."""
    return value if not isinstance(value, dict) or (value.get("id") and value.get("name")) else None


class ActivityIn(Section):
    """A row of `GET /devices/{id}/activity`."""

    id: Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
    created_at: Moment
    action_type: Annotated[str, column(DeviceActivity, "action_type", required=True)]
    blueprint: Annotated[PastBlueprint | None, BeforeValidator(_blueprint_section)] = None
    blueprint_routing: Flag = False
    details: dict[str, Any] = Field(default_factory=dict)


class ItemStatusIn(Section):
    """A row of `GET /devices/{id}/library-items`. Its copies of the device and the blueprint are not read."""

    item_id: UUID
    name: Annotated[str, column(LibraryItem, "name")] = ""
    type: Annotated[str, column(LibraryItem, "type")] = ""
    status: Annotated[str, column(LibraryStatus, "status")] = ""
    reported_at: Blankable[Moment] = None
    log: Text | None = None
    last_audit_run: Blankable[Moment] = None
    last_audit_log: Text | None = None
    control_log: Text | None = None
    control_reported_at: Blankable[Moment] = None
    rules_present: Flag = False
    edr_status: dict[str, Any] | None = None

    @property
    def is_report(self) -> bool:
        """False for an item on which the device has not reported: it is listed as pending, without a date."""
        dates = (self.reported_at, self.last_audit_run, self.control_reported_at)
        return self.status.upper() not in {"", "PENDING"} or any(dates)


class LostModeIn(Section):
    """The answer of `GET /devices/{id}/details/lostmode`, or the section of the details that says the same."""

    status: Annotated[str, column(LostMode, "status")] = Field(alias="lost_mode_status")
    enabled_by: Annotated[str, column(LostMode, "enabled_by")] = ""
    message: Annotated[str, column(LostMode, "message")] = Field(default="", alias="lock_screen_message")
    phone_number: Annotated[str, column(LostMode, "phone_number")] = Field(default="", alias="lock_screen_phone_number")
    footnote: Annotated[str, column(LostMode, "footnote")] = Field(default="", alias="lock_screen_footnote")
    disable_status: Annotated[str, column(LostMode, "disable_status")] = ""
    disabled_by: Annotated[str, column(LostMode, "disabled_by")] = ""
    location_status: Annotated[str, column(LostMode, "location_status")] = Field(
        default="", alias="last_location_status"
    )
    latitude: Annotated[str, column(LostMode, "latitude"), NULL_AS_EMPTY] = Field(
        default="", validation_alias=AliasPath("last_location", "latitude")
    )
    longitude: Annotated[str, column(LostMode, "longitude"), NULL_AS_EMPTY] = Field(
        default="", validation_alias=AliasPath("last_location", "longitude")
    )
    sound_status: Annotated[str, column(LostMode, "sound_status")] = ""
    enable_status_at: Blankable[Moment] = None
    disable_status_at: Blankable[Moment] = None
    location_status_at: Blankable[Moment] = Field(default=None, alias="last_location_status_at")
    location_at: Blankable[Moment] = Field(default=None, alias="last_location_at")
    sound_status_at: Blankable[Moment] = None


def _lost_mode_section(value: Any) -> Any:
    """None for the section of a device that is not in lost mode."""
    return value if isinstance(value, dict) and value.get("lost_mode_status") else None


class NamedUser(Section):
    """A user. The e-mail address is the name of one that has no other."""

    @model_validator(mode="before")
    @classmethod
    def _with_name(cls, value: Any) -> Any:
        return {**value, "name": value.get("name") or value.get("email")} if isinstance(value, dict) else value


class Person(NamedUser):
    """An assigned user. What the row does not say about them is None or empty."""

    model_config = ConfigDict(frozen=True)

    uuid: Blankable[UUID] = Field(default=None, alias="id")
    name: Annotated[str, column(User, "name")] = ""
    email: Annotated[str, column(User, "email")] = ""
    archived: Flag = Field(default=False, alias="is_archived")


def _person_section(value: Any) -> Any:
    """An assigned user in each way to write one - an object, a name, an e-mail address, nothing - as object or None."""
    if not value:
        return None
    if isinstance(value, str):
        value = {"email": value} if "@" in value else {"name": value}
    if not isinstance(value, dict):
        raise PydanticCustomError("user_type", "not a user")
    if isinstance(value.get("id"), int):
        # Records of 2022 have integers here, which identify no user today; the e-mail address still does.
        value = {**value, "id": None}
    return value if value.get("id") or value.get("name") or value.get("email") else None


def _page_rows(value: Any) -> Any:
    """Paged rows may stand with or without their page."""
    return value.get("results") if isinstance(value, dict) else value


def _without_blank(tags: frozenset[str] | None) -> frozenset[str] | None:
    return tags if tags is None else tags - {""}


type Objects = list[dict[str, Any]]
type TagName = Annotated[str, column(Tag, "name"), NULL_AS_EMPTY]


class Answers(Document):
    """All that rows may say, under the keys of the API, but the attributes of a device."""

    device_id: Blankable[UUID] = None
    blueprint_id: Blankable[UUID] = None
    blueprint_name: Annotated[str, column(Blueprint, "name"), NULL_AS_EMPTY] = ""
    user: Annotated[Person | None, BeforeValidator(_person_section)] = None
    tags: Annotated[frozenset[TagName] | None, AfterValidator(_without_blank)] = None
    apps: Objects = Field(default_factory=list)
    library_items: list[ItemStatusIn] = Field(default_factory=list)
    parameters: Objects = Field(default_factory=list)
    notes: list[NoteIn] = Field(default_factory=list)
    commands: Annotated[list[CommandIn], BeforeValidator(_page_rows)] = Field(default_factory=list)
    activity: Annotated[list[ActivityIn], BeforeValidator(_page_rows)] = Field(default_factory=list)
    lost_mode: Annotated[LostModeIn | None, BeforeValidator(_lost_mode_section)] = None
    key: Secret = Field(default=None, repr=False)
    pin: Secret = Field(default=None, repr=False)
    recovery_password: Secret = Field(default=None, repr=False)
    user_based_albc: Secret = Field(default=None, repr=False)
    device_based_albc: Secret = Field(default=None, repr=False)


# A type for each parser of the facts' table. None says nothing; an empty text says that there is none.
_TYPES: dict[str, Any] = {
    "boolean": Blankable[Boolean],
    "moment": Blankable[Moment],
    "platform": Blankable[PlatformName],
}
_TEXTS: dict[str, tuple[AfterValidator, ...]] = {
    "text": (),
    "required_text": (EMPTY_AS_NONE,),
    "serial_number": (ASCII, EMPTY_AS_NONE),
}


def _type(parser: str, attribute: str) -> Any:
    if parser in _TYPES:
        return _TYPES[parser]
    return Annotated[str, column(Device, attribute), NULL_AS_EMPTY, *_TEXTS[parser]]


FIELDS: dict[str, Any] = {
    fact.paths[0]: (_type(fact.parser, fact.paths[0]), Field(default=None, alias=fact.key))
    for fact in FACTS
    if fact.parser is not None
}
Row = create_model("Row", __base__=Answers, **FIELDS)


class General(Section):
    platform: PlatformName


class Details(Document):
    general: General
