from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, StringConstraints

from devices.api.pagination import LimitOffset
from devices.inputs import Body, Listed, Name, Query
from devices.models import Blueprint, BlueprintRouting, LibraryItem

type Code = Annotated[str, StringConstraints(max_length=20)]
type Token = Annotated[str, StringConstraints(max_length=60)]


class BlueprintQuery(LimitOffset):
    id: UUID | None = None
    id__in: Listed[UUID] | None = None
    name: str = ""


class EnrollmentProfileQuery(Query):
    """`sso` asks for a sign-in page where a blueprint wants one; none does, so every answer is the profile."""

    sso: bool = False


class EnrollmentCodeChange(Body):
    """What is left out stays; so does the code where it is blank."""

    code: Code = ""
    is_active: bool = False

    def given(self) -> dict[str, Any]:
        """By the names that services know them by."""
        given: dict[str, Any] = {"enrollment_code": self.code} if self.code else {}
        if "is_active" in self.model_fields_set:
            given["enrollment_code_active"] = self.is_active
        return given


class NewEnrollmentCode(EnrollmentCodeChange):
    """Without a code one is made."""

    is_active: bool


class BlueprintSource(Body):
    """What a new blueprint starts from: the number of a template, or the id of a blueprint to copy."""

    type: Literal["template", "blueprint"]
    id: str


class NewBlueprint(Body):
    name: Name
    enrollment_code: NewEnrollmentCode
    color: Token = ""
    description: str = ""
    icon: Token = ""
    source: BlueprintSource | None = None
    type: Literal["classic", "map"] | None = None


class BlueprintUpdate(Body):
    """Any subset of these; what is left out stays, and so do color and icon where they are blank."""

    name: Name = ""
    color: Token = ""
    description: str = ""
    enrollment_code: EnrollmentCodeChange = EnrollmentCodeChange()
    icon: Token = ""


class AssignmentBody(Body):
    """`assignment_node_id` names the node of an assignment map with conditional logic. Any other map puts the item on
    its default node where none is named; a classic blueprint has no nodes."""

    library_item_id: UUID
    assignment_node_id: UUID | None = None


class EnrollmentCode(BaseModel):
    code: str
    is_active: bool

    @classmethod
    def of(cls, place: Blueprint | BlueprintRouting) -> "EnrollmentCode":
        return cls.model_construct(code=place.enrollment_code, is_active=place.enrollment_code_active)


class BlueprintOut(BaseModel):
    id: UUID
    name: str
    icon: str
    color: str
    description: str
    params: dict[str, Any]
    computers_count: int
    missing_computers_count: int
    enrollment_code: EnrollmentCode
    type: str

    @classmethod
    def of(cls, blueprint: Any) -> "BlueprintOut":
        """`blueprint` comes from `Blueprint.objects.counted()`."""
        return cls.model_construct(
            id=blueprint.uuid,
            name=blueprint.name,
            icon=blueprint.icon,
            color=blueprint.color,
            description=blueprint.description,
            params=blueprint.params,
            computers_count=blueprint.computers_count,
            missing_computers_count=blueprint.missing_computers_count,
            enrollment_code=EnrollmentCode.of(blueprint),
            type=blueprint.type,
        )


class BlueprintLibraryItem(BaseModel):
    id: UUID
    name: str

    @classmethod
    def of(cls, item: LibraryItem) -> "BlueprintLibraryItem":
        return cls.model_construct(id=item.uuid, name=item.name)


class BlueprintTemplate(BaseModel, from_attributes=True):
    id: int
    name: str
    description: str
    category: int
    icon: str
    color: str
    params: dict[str, Any]
    rating: int


class BlueprintTemplateCategory(BaseModel, from_attributes=True):
    """Templates that serve one purpose; categories come by weight."""

    id: int
    name: str
    weight: int
    templates: list[BlueprintTemplate]
