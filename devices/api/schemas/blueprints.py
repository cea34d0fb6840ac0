from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from devices.api.pagination import LimitOffset
from devices.inputs import Body, Listed, Name, Query
from devices.models import Blueprint, BlueprintRouting, LibraryItem

type Code = Annotated[str, StringConstraints(max_length=20)]
Active = Annotated[bool, Field(description="Whether devices can enroll with the code.")]
type BlueprintName = Annotated[
    Name, Field(description="The name of the Blueprint, which no other Blueprint of the organization has.")
]
type Token = Annotated[str, StringConstraints(max_length=60)]


class BlueprintQuery(LimitOffset):
    id: UUID | None = Field(default=None, description="The Blueprint with exactly this id.")
    id__in: Listed[UUID] | None = Field(default=None, description="Blueprints with one of these ids.")
    name: str = Field(default="", description="Blueprints whose name contains this text; case is ignored.")


class EnrollmentProfileQuery(Query):
    """`sso` asks for a sign-in page where a blueprint wants one; none does, so every answer is the profile."""

    sso: bool = Field(
        default=False, description="Accepted from clients that send it; the answer is the profile in either case."
    )


class EnrollmentCodeChange(Body):
    """What is left out stays; so does the code where it is blank."""

    code: Code = Field(
        default="",
        description=(
            "The code that people type to enroll, which no other Blueprint may have; a blank one changes nothing."
        ),
    )
    is_active: Active = False

    def given(self) -> dict[str, Any]:
        """By the names that services know them by."""
        given: dict[str, Any] = {"enrollment_code": self.code} if self.code else {}
        if "is_active" in self.model_fields_set:
            given["enrollment_code_active"] = self.is_active
        return given


class NewEnrollmentCode(EnrollmentCodeChange):
    """Without a code one of six digits is made."""

    is_active: Active


class BlueprintSource(Body):
    """What a new blueprint starts from: the number of a template, or the id of a blueprint to copy."""

    type: Annotated[
        Literal["template", "blueprint"], Field(description="Whether `id` names a template or a Blueprint to copy.")
    ]
    id: Annotated[
        str, Field(description="The number of a template, as the list of templates has it, or the id of a Blueprint.")
    ]


class NewBlueprint(Body):
    name: BlueprintName
    enrollment_code: Annotated[
        NewEnrollmentCode, Field(description="The code that people type to enroll a device into the Blueprint.")
    ]
    color: Token = Field(default="", description="The color of the Blueprint in lists; left out, that of the source.")
    description: str = Field(default="", description="A text about the purpose of the Blueprint.")
    icon: Token = Field(default="", description="The icon of the Blueprint in lists; left out, that of the source.")
    source: BlueprintSource | None = Field(
        default=None, description="The template or Blueprint that the new one starts from; left out, it is blank."
    )
    type: Literal["classic", "map"] | None = Field(
        default=None, description="Classic, or a map with nodes; left out, that of the source, or classic."
    )


class BlueprintUpdate(Body):
    """Any subset of these; what is left out stays, and so do color and icon where they are blank."""

    name: BlueprintName = ""
    color: Token = Field(
        default="", description="The new color in lists; a blank one, and any for a map, changes nothing."
    )
    description: str = Field(default="", description="The new text about the purpose of the Blueprint.")
    enrollment_code: EnrollmentCodeChange = Field(
        default=EnrollmentCodeChange(), description="The parts of the enrollment code to change."
    )
    icon: Token = Field(
        default="", description="The new icon in lists; a blank one, and any for a map, changes nothing."
    )


class AssignmentBody(Body):
    """`assignment_node_id` names the node of an assignment map with conditional logic. Any other map puts the item on
    its default node where none is named; a classic blueprint has no nodes."""

    library_item_id: Annotated[UUID, Field(description="The id of the library item.")]
    assignment_node_id: UUID | None = Field(
        default=None,
        description="The id of a node of an assignment map; needed only where the map has conditional logic.",
    )


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
