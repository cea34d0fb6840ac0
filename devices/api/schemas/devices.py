from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from devices.api.pagination import LimitOffset
from devices.inputs import Body, Listed, Name
from devices.models import Platform

ORDERINGS = {
    "asset_tag": "asset_tag",
    "blueprint_id": "blueprint__uuid",
    "device_id": "uuid",
    "device_name": "name",
    "last_check_in": "last_check_in",
    "model": "model",
    "platform": "platform",
    "os_version": "os_version",
    "serial_number": "serial_number",
    "user": "user__name",
}


def _platform(value: str) -> str:
    return next((platform for platform in Platform.values if platform.lower() == str(value).lower()), value)


def _ordering(value: str) -> str:
    # A comma too many names nothing, as in the public API's framework.
    names = [name.strip() for name in value.split(",") if name.strip()]
    if unknown := [name for name in names if name.removeprefix("-") not in ORDERINGS]:
        raise ValueError(f'"{unknown[0]}" is not one of {", ".join(ORDERINGS)}.')
    return value


class DeviceQuery(LimitOffset):
    """Filters of the device list; all that are given must match."""

    asset_tag: str | None = None
    blueprint_id: str | None = None
    device_id: UUID | None = None
    device_name: str | None = None
    filevault_enabled: bool | None = None
    mac_address: str | None = None
    model: str | None = None
    ordering: Annotated[str, BeforeValidator(_ordering)] | None = None
    os_version: str | None = None
    platform: (
        Annotated[Literal["Mac", "iPad", "iPhone", "AppleTV", "Android", "Windows"], BeforeValidator(_platform)] | None
    ) = None
    serial_number: str | None = None
    tag_name: str | None = None
    tag_name_in: Listed[str] | None = None
    tag_id: UUID | None = None
    tag_id_in: Listed[UUID] | None = None
    user: str | None = None
    user_email: str | None = None
    user_email_exact: str | None = None
    user_id: UUID | None = None
    user_name: str | None = None

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

    user: UUID | None = None
    asset_tag: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    blueprint_id: UUID = UUID(int=0)
    tags: Annotated[list[Name], Field(max_length=200)] = []  # more would be a mistake, and each new one is created
