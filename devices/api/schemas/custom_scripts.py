from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from devices.api.schemas.self_service import ONLY_IN_SELF_SERVICE, SelfServiceFields, self_service
from devices.dates import zulu
from devices.inputs import Name
from devices.library.scripts import LONGEST
from devices.models import CustomScript, LibraryItem

# Only blanks at the end of a script are removed. Those at its beginning may be intended.
type ScriptText = Annotated[
    str, StringConstraints(strip_whitespace=False, max_length=LONGEST), AfterValidator(str.rstrip)
]


def _not_blank(text: str) -> str:
    if not text:
        raise PydanticCustomError("string_too_short", "blank")
    return text


type ScriptName = Annotated[Name, Field(description="The name of the script in the Library.")]
Frequency = Annotated[
    CustomScript.Frequency,
    Field(description="How often Macs run the script; `no_enforcement`: only from Self Service."),
]
type Script = Annotated[
    ScriptText,
    AfterValidator(_not_blank),
    Field(description="The script itself; blanks at its end are removed."),
]


class ScriptUpdate(SelfServiceFields):
    """Any subset of these. Fields that are left out stay as they are."""

    name: ScriptName = ""
    execution_frequency: Frequency = CustomScript.Frequency.ONCE
    script: Script = ""
    remediation_script: ScriptText = Field(default="", description="A script that runs if `script` ends with an error.")
    active: bool = Field(default=True, description="Whether Macs run the script.")
    restart: bool = Field(default=False, description="Whether the Mac restarts afterwards.")


class NewScript(ScriptUpdate):
    name: ScriptName
    execution_frequency: Frequency
    script: Script


class ScriptOut(BaseModel):
    id: UUID
    name: str
    active: bool
    execution_frequency: str
    restart: bool
    script: str
    remediation_script: str
    created_at: str
    updated_at: str
    show_in_self_service: bool
    self_service_category_id: UUID | None = ONLY_IN_SELF_SERVICE
    self_service_recommended: bool | None = ONLY_IN_SELF_SERVICE

    @classmethod
    def of(cls, item: LibraryItem) -> "ScriptOut":
        """`item` comes with its script and its category."""
        script = item.custom_script
        return cls.model_construct(
            id=item.uuid,
            name=item.name,
            active=item.active,
            execution_frequency=script.execution_frequency,
            restart=script.restart,
            script=script.script,
            remediation_script=script.remediation_script,
            created_at=zulu(item.created_at),
            updated_at=zulu(item.updated_at),
            **self_service(item),
        )
