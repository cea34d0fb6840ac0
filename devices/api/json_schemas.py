"""The pydantic models of the API as JSON Schemas, under the names that the OpenAPI document gives them."""

import re
from collections.abc import Hashable, Iterable
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

type Schema = dict[str, Any]
type Mode = Literal["validation", "serialization"]
type Part = tuple[Hashable, Mode, TypeAdapter[Any]]

PREFIX = "#/components/schemas/"
BOUNDS = {"ge": "minimum", "le": "maximum"}  # what pydantic calls them after a validator of our own
NOBODY = "00000000-0000-0000-0000-000000000000"  # the default of an id that may be left out, but not be null


class _WithoutFieldTitles(GenerateJsonSchema):
    """A field's title would be its name over again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class Schemas:
    """The schema of each part, and the components that they refer to.

    Objects are components. A name for a plain type, like `Limit`, is our own convenience and is written out.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        roots, whole = TypeAdapter.json_schemas(
            list(parts), ref_template=PREFIX + "{model}", schema_generator=_WithoutFieldTitles
        )
        self._definitions: dict[str, Schema] = whole.get("$defs", {})
        self._names = _public_names([name for name, each in self._definitions.items() if _is_object(each)])
        self._parts: dict[Hashable, Schema] = {key: self._cleaned(root) for (key, _), root in roots.items()}
        self.components: dict[str, Schema] = dict(
            sorted((public, self._cleaned(self._definitions[name])) for name, public in self._names.items())
        )

    def of(self, key: Hashable) -> Schema:
        return self._parts[key]

    def fields(self, key: Hashable) -> Schema:
        """The object that this part is or refers to, with its `properties`."""
        return self.target(self._parts[key])

    def target(self, schema: Schema) -> Schema:
        return target(schema, self.components)

    def _cleaned(self, schema: Any) -> Any:
        match schema:
            case {"$ref": str(ref), **others}:
                name = ref.removeprefix(PREFIX)
                here: Schema = (
                    {"$ref": PREFIX + self._names[name]}
                    if name in self._names
                    else self._cleaned(self._definitions[name])
                )
                return {**here, **self._cleaned(others)}
            case dict():
                return {
                    BOUNDS.get(key, key): {name: self._cleaned(_described(each)) for name, each in value.items()}
                    if key == "properties"
                    else self._cleaned(value)
                    for key, value in schema.items()
                    if key != "title" and not (key == "default" and _says_nothing(value))
                }
            case list():
                return [self._cleaned(each) for each in schema]
            case _:
                return schema


def used(document: Any, components: dict[str, Schema]) -> dict[str, Schema]:
    """The components that the document refers to, directly or through others. The model of an upload's body is not one
    of them: the document has the form itself."""
    names, left = set[str](), [document]
    while left:
        text = orjson.dumps(left.pop()).decode()
        new = set(re.findall(rf'"{PREFIX}(\w+)"', text)) - names
        names |= new
        left += [components[name] for name in new]
    return {name: schema for name, schema in components.items() if name in names}


def target(schema: Schema, components: dict[str, Schema]) -> Schema:
    """What `schema` refers to among `components`, or itself."""
    return components[str(schema["$ref"]).removeprefix(PREFIX)] if "$ref" in schema else schema


def without_null(schema: Schema) -> Schema:
    """The schema of a value that is left out instead of being null."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
    others = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**kinds[0], **others} if len(kinds) == 1 else {"anyOf": kinds, **others}


def about(schema: Schema, components: dict[str, Schema]) -> str:
    """The description of a parameter or a field: its own, or else that of the value that it has unless it is null."""
    value = without_null(schema)
    return str(value.get("description") or target(value, components).get("description", ""))


def _described(field: Schema) -> Schema:
    """A field of a command may have a label for its form, and no help text: the label describes it."""
    return {"description": field["title"], **field} if "title" in field else field


def _is_object(schema: Schema) -> bool:
    return "properties" in schema


def _public_names(names: Iterable[str]) -> dict[str, str]:
    """`TagOut` is `Tag` to a client, and a page of them a `TagPage`; unless that is the name of something else."""
    names = list(names)
    public: dict[str, str] = {}
    for name in names:
        paged = re.fullmatch(r"[A-Za-z]*Page_(\w+)_", name)
        plain = (paged[1] if paged else name).removesuffix("Out") + ("Page" if paged else "")
        public[name] = name if plain in names or plain in public.values() else plain
    return public


def _says_nothing(default: Any) -> bool:
    """Whether a default is only what stands in the field when nothing was sent."""
    if isinstance(default, dict):
        return all(_says_nothing(each) for each in default.values())
    return not default or default == NOBODY
