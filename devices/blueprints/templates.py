"""Templates for new blueprints. Their ids are public and must not change: integrations may have stored them."""

from typing import Any, NamedTuple


class Template(NamedTuple):
    id: int
    name: str
    description: str
    category: int
    icon: str
    color: str
    rating: int

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a new blueprint. There are none, because this server does not enforce parameters."""
        return {}


class TemplateCategory(NamedTuple):
    """A group of templates. Categories are listed by `weight`, the lowest first."""

    id: int
    name: str
    weight: int
    templates: tuple[Template, ...]


CATEGORIES = (
    TemplateCategory(
        1,
        "Start",
        10,
        (
            Template(1, "Blank", "No settings: choose every library item yourself.", 1, "ss-layers", "blue-500", 5),
            Template(2, "Trial group", "A few devices that get each change first.", 1, "ss-flag", "orange-500", 4),
        ),
    ),
    TemplateCategory(
        2,
        "People",
        20,
        (
            Template(3, "Office", "Computers and phones that stay with one employee.", 2, "ss-desktop", "green-500", 5),
            Template(4, "Engineering", "Employees who install tools of their own.", 2, "ss-code", "purple-500", 4),
            Template(5, "Leadership", "A small number of devices with confidential data.", 2, "ss-lock", "red-500", 3),
        ),
    ),
    TemplateCategory(
        3,
        "Places",
        30,
        (
            Template(
                6, "Front desk", "Devices that visitors and several shifts share.", 3, "ss-users", "yellow-500", 3
            ),
            Template(7, "Meeting rooms", "Displays and tablets on a wall or a table.", 3, "ss-tv", "teal-500", 3),
        ),
    ),
)
_BY_ID = {template.id: template for category in CATEGORIES for template in category.templates}


def template(id: int) -> Template | None:
    """Return the template with this id, or None."""
    return _BY_ID.get(id)
