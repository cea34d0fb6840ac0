from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field

from devices.inputs import Body
from devices.models import LibraryItem, SelfServiceCategory


def _blank_as_none(value: Any) -> Any:
    return None if value == "" else value


def _is_none(value: Any) -> bool:
    return value is None


# The default of a key that exists only while Self Service shows the item.
ONLY_IN_SELF_SERVICE: Any = Field(default=None, exclude_if=_is_none)


class SelfServiceFields(Body):
    """Whether Self Service shows an item. A shown item needs a category. Otherwise the other two fields are dropped."""

    show_in_self_service: bool = Field(
        default=False,
        description="Whether people can install it from Self Service; required where nothing else installs it.",
    )
    self_service_category_id: Annotated[UUID | None, BeforeValidator(_blank_as_none)] = Field(
        default=None, description="The id of a category of Self Service; required where Self Service shows the item."
    )
    self_service_recommended: bool = Field(
        default=False,
        description="Whether Self Service recommends it; dropped where Self Service does not show the item.",
    )


class CategoryOut(BaseModel):
    id: UUID
    name: str

    @classmethod
    def of(cls, category: SelfServiceCategory) -> "CategoryOut":
        return cls.model_construct(id=category.uuid, name=category.name)


def self_service(item: LibraryItem) -> dict[str, Any]:
    """The last three keys of an item that Self Service may show. The schema declares them with ONLY_IN_SELF_SERVICE."""
    shown = item.show_in_self_service
    return {
        "show_in_self_service": shown,
        "self_service_category_id": item.category.uuid if shown and item.category else None,
        "self_service_recommended": item.self_service_recommended if shown else None,
    }
