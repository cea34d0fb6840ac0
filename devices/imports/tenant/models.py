"""Blueprints, their routing, users, tags and library items as another tenant's API lists them."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AliasPath, BeforeValidator, Field, StringConstraints, model_validator

from devices.imports.models import NamedUser, Section
from devices.imports.values import LONGEST_TEXT, NULL_AS_EMPTY, Blankable, Boolean, Flag, Moment, column
from devices.models import (
    Blueprint,
    BlueprintRouting,
    CustomScript,
    DirectoryIntegration,
    LibraryItem,
    RoutingActivity,
    SelfServiceCategory,
    Tag,
    User,
)

type Script = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]  # unchanged, with all its blanks


def _object_or_empty(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


def _integration_section(value: Any) -> Any:
    return value if isinstance(value, dict) and value.get("uuid") else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 2**31 else None


class BlueprintIn(Section):
    """A row of `GET /blueprints`."""

    name: Annotated[str, column(Blueprint, "name", required=True)]
    icon: Annotated[str, column(Blueprint, "icon")] = ""
    color: Annotated[str, column(Blueprint, "color")] = ""
    description: Annotated[str, column(Blueprint, "description")] = ""
    type: Blueprint.Type = Blueprint.Type.CLASSIC
    params: Annotated[dict[str, Any], BeforeValidator(_object_or_empty)] = Field(default_factory=dict)
    enrollment_code: Annotated[str, column(Blueprint, "enrollment_code"), NULL_AS_EMPTY] = Field(
        default="", validation_alias=AliasPath("enrollment_code", "code")
    )
    enrollment_code_active: Flag = Field(default=False, validation_alias=AliasPath("enrollment_code", "is_active"))


class RoutingIn(Section):
    """The answer of `GET /blueprint-routing/`."""

    enrollment_code: Annotated[str, column(BlueprintRouting, "enrollment_code"), NULL_AS_EMPTY] = Field(
        default="", validation_alias=AliasPath("enrollment_code", "code")
    )
    enrollment_code_active: Flag = Field(default=False, validation_alias=AliasPath("enrollment_code", "is_active"))


class RoutingUserIn(Section):
    id: Blankable[UUID] = None
    email: Annotated[str, column(RoutingActivity, "user_email")] = ""


class RoutingActivityIn(Section):
    """A row of `GET /blueprint-routing/activity`."""

    activity_time: Moment
    activity_type: Annotated[str, column(RoutingActivity, "activity_type", required=True)]
    user: RoutingUserIn = Field(default_factory=RoutingUserIn)
    device_id: Blankable[UUID] = None
    details: dict[str, Any] = Field(default_factory=dict)


class IntegrationIn(Section):
    """The directory that a user comes from."""

    uuid: UUID
    number: Annotated[int | None, BeforeValidator(_number)] = Field(default=None, alias="id")
    name: Annotated[str, column(DirectoryIntegration, "name")] = ""
    type: Annotated[str, column(DirectoryIntegration, "type")] = ""


class UserIn(NamedUser):
    """A row of `GET /users`."""

    name: Annotated[str, column(User, "name", required=True)]
    email: Annotated[str, column(User, "email")] = ""
    active: Boolean = True
    archived: Flag = False
    department: Annotated[str, column(User, "department")] | None = None
    job_title: Annotated[str, column(User, "job_title")] | None = None
    deprecated_user_id: Annotated[str, column(User, "deprecated_user_id")] = ""
    created_at: Moment
    updated_at: Blankable[Moment] = None
    integration: Annotated[IntegrationIn | None, BeforeValidator(_integration_section)] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.updated_at = self.updated_at or self.created_at
        return self


class TagIn(Section):
    """A row of `GET /tags`."""

    name: Annotated[str, column(Tag, "name")] = ""


class LibraryItemIn(Section):
    """A library item, as lists of the library, blueprints and devices name it."""

    name: Annotated[str, column(LibraryItem, "name")] = ""
    type: Annotated[str, column(LibraryItem, "type")] = ""


class CategoryIn(Section):
    """A row of `GET /self-service/categories`."""

    name: Annotated[str, column(SelfServiceCategory, "name", required=True)]


class AppIn(Section):
    """The copied fields of a row in a list of apps."""

    name: Annotated[str, column(LibraryItem, "name", required=True)]
    active: Boolean = True
    created_at: Moment
    updated_at: Blankable[Moment] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.updated_at = self.updated_at or self.created_at
        return self


class ProfileIn(AppIn):
    """A row of `GET /library/custom-profiles`."""

    profile: str
    runs_on_mac: Flag = False
    runs_on_iphone: Flag = False
    runs_on_ipad: Flag = False
    runs_on_tv: Flag = False
    runs_on_vision: Flag = False


class ScriptIn(AppIn):
    """A row of `GET /library/custom-scripts`."""

    execution_frequency: CustomScript.Frequency
    script: Script
    remediation_script: Script = ""
    restart: Flag = False
    show_in_self_service: Flag = False
    self_service_category_id: Blankable[UUID] = None
    self_service_recommended: Flag = False
