from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from devices.dates import zulu
from devices.inputs import Body, Name
from devices.library.profile_files import mdm_identifier
from devices.models import LibraryItem

type ProfileName = Annotated[Name, Field(description="The name of the profile in the Library, and of its payload.")]


class ProfileUpdate(Body):
    """Any subset of these. Fields that are left out stay as they are. `file` is an unsigned .mobileconfig."""

    name: ProfileName = ""
    active: bool = Field(default=True, description="Whether devices get the profile.")
    runs_on_mac: bool = Field(
        default=False, description="Whether Macs get the profile; in a new one it is true if no `runs_on_…` is sent."
    )
    runs_on_iphone: bool = Field(default=False, description="Whether iPhones get the profile.")
    runs_on_ipad: bool = Field(default=False, description="Whether iPads get the profile.")
    runs_on_tv: bool = Field(default=False, description="Whether Apple TVs get the profile.")
    runs_on_vision: bool = Field(default=False, description="Whether Apple Vision devices get the profile.")


class NewProfile(ProfileUpdate):
    """`runs_on_mac` is true if no `runs_on_…` is sent."""

    name: ProfileName


class ProfileOut(BaseModel):
    id: UUID
    name: str
    active: bool
    profile: str
    mdm_identifier: str
    runs_on_mac: bool
    runs_on_iphone: bool
    runs_on_ipad: bool
    runs_on_tv: bool
    runs_on_vision: bool
    runs_on_android: bool
    runs_on_windows: bool
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, item: LibraryItem) -> "ProfileOut":
        """`item` comes with its profile."""
        profile = item.custom_profile
        return cls.model_construct(
            id=item.uuid,
            name=item.name,
            active=item.active,
            profile=profile.profile,
            mdm_identifier=mdm_identifier(item),
            runs_on_mac=profile.runs_on_mac,
            runs_on_iphone=profile.runs_on_iphone,
            runs_on_ipad=profile.runs_on_ipad,
            runs_on_tv=profile.runs_on_tv,
            runs_on_vision=profile.runs_on_vision,
            runs_on_android=False,
            runs_on_windows=False,
            created_at=zulu(item.created_at),
            updated_at=zulu(item.updated_at),
        )
