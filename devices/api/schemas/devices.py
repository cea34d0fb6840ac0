from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from devices.api.pagination import LimitOffset
from devices.fleet.record_filters import TERMS
from devices.inputs import Body, Listed, Name
from devices.models import Platform


def _platform(value: str) -> str:
    return next((platform for platform in Platform.values if platform.lower() == str(value).lower()), value)


def _ordering(value: str) -> str:
    # A comma too many names nothing, as in the public API's framework.
    names = [name.strip() for name in value.split(",") if name.strip()]
    if unknown := [name for name in names if name.removeprefix("-") not in TERMS]:
        raise ValueError(f'"{unknown[0]}" is not one of {", ".join(TERMS)}.')
    return value


class DeviceQuery(LimitOffset):
    """Filters of the device list; all that are given must match."""

    asset_tag: str | None = Field(
        default=None, description="Devices whose asset tag contains this text; case is ignored."
    )
    blueprint_id: str | None = Field(
        default=None,
        description="Devices whose Blueprint has an id that contains this text, with or without its dashes.",
    )
    device_id: UUID | None = Field(default=None, description="The device with exactly this id.")
    device_name: str | None = Field(default=None, description="Devices whose name contains this text; case is ignored.")
    filevault_enabled: bool | None = Field(
        default=None, description="Macs whose FileVault is on, or off; devices of other platforms never match."
    )
    mac_address: str | None = Field(
        default=None,
        description=(
            "Devices with exactly this MAC address; case is ignored, and the parts may be "
            "separated by colons or dashes."
        ),
    )
    model: str | None = Field(default=None, description="Devices whose model contains this text; case is ignored.")
    ordering: Annotated[str, BeforeValidator(_ordering)] | None = Field(
        default=None,
        description="Columns to sort by, separated by commas, descending with a `-` before the name: "
        f"{', '.join(TERMS)}.",
    )
    os_version: str | None = Field(
        default=None, description="Devices whose OS version contains this text; case is ignored."
    )
    platform: (
        Annotated[Literal["Mac", "iPad", "iPhone", "AppleTV", "Android", "Windows"], BeforeValidator(_platform)] | None
    ) = Field(default=None, description="Devices of exactly this platform; case is ignored.")
    serial_number: str | None = Field(
        default=None, description="Devices whose serial number contains this text; case is ignored."
    )
    tag_name: str | None = Field(default=None, description="Devices with a tag of exactly this name.")
    tag_name_in: Listed[str] | None = Field(
        default=None, description="Devices with a tag of exactly one of these names."
    )
    tag_id: UUID | None = Field(default=None, description="Devices with the tag of exactly this id.")
    tag_id_in: Listed[UUID] | None = Field(default=None, description="Devices with a tag of one of these ids.")
    user: str | None = Field(
        default=None, description="Devices whose assigned user has a name that contains this text; case is ignored."
    )
    user_email: str | None = Field(
        default=None, description="Devices whose assigned user has an address that contains this text; case is ignored."
    )
    user_email_exact: str | None = Field(
        default=None, description="Devices whose assigned user has exactly this address."
    )
    user_id: UUID | None = Field(
        default=None, description="Devices that are assigned to the user with exactly this id."
    )
    user_name: str | None = Field(
        default=None,
        description=(
            "Devices whose assigned user has a name that contains this text, as with `user`; case is ignored."
        ),
    )

    @property
    def unfiltered(self) -> bool:
        """Whether it asks for the whole fleet in its own order."""
        return self.model_fields_set <= {"limit", "offset"}


class DeviceUser(BaseModel):
    email: str
    name: str
    id: UUID
    is_archived: bool


class DeviceOut(BaseModel):
    """The device record. Its last three keys are there in tenants that manage Windows or Android devices."""

    device_id: UUID
    device_name: str
    model: str
    serial_number: str
    platform: str
    os_version: str
    supplemental_build_version: str
    supplemental_os_version_extra: str
    last_check_in: str | None
    user: DeviceUser | None
    asset_tag: str
    blueprint_id: UUID
    mdm_enabled: bool
    agent_installed: bool
    is_missing: bool
    is_removed: bool
    agent_version: str
    first_enrollment: str
    last_enrollment: str
    blueprint_name: str
    lost_mode_status: str
    tags: list[str]
    api_level: str = ""
    security_patch_level: str = ""
    full_software_version: str = ""


class DeviceUpdate(Body):
    """Any subset of these; what is left out stays."""

    user: UUID | None = Field(
        default=None, description="The id of the user that the device is assigned to; null removes the assignment."
    )
    asset_tag: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = Field(
        default=None, description="The asset tag; null clears it."
    )
    blueprint_id: UUID = Field(default=UUID(int=0), description="The id of the Blueprint that the device is moved to.")
    # more would be a mistake, and each new one is created
    tags: Annotated[list[Name], Field(max_length=200)] = Field(
        default=[],
        description=(
            "The names of all tags that the device has afterwards; a tag that the organization "
            "does not have is created."
        ),
    )
