"""The OpenAPI document as a person reads it: what `views.reference` shows, and nothing that is not in the document."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.text import slugify

from access.search import matches, rank, searchable, words_of
from devices.api.json_schemas import Schema, about, target, without_null

EVERYWHERE = {"429", "500"}  # errors that are not specific to the operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A parameter, or a field of a body. `limits` has the allowed values and the default value.

    `about` is its description: every second part is code.
    """

    name: str
    place: str
    kind: str
    required: bool
    limits: str
    about: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    status: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation. `permission` is empty where none is needed, `open` where not even a token is.

    `ours`: an addition to the public API. `url` is its address with the path's parameters in braces, and `body` the
    schema of its body, for `reference_examples`.
    """

    id: str
    method: str
    path: str
    label: str
    about: str
    permission: str
    sensitive: bool
    ours: bool
    instead: str  # the operation that replaces this deprecated one
    open: bool
    parameters: list[Value]
    fields: list[Value]
    fields_about: list[str]  # every second part is code
    media_types: list[str]
    status: str
    answer: str
    headers: list[tuple[str, str]]  # name, description
    shape: str
    errors: list[Error]
    url: str
    body: Schema | None
    body_required: bool

    @property
    def search_text(self) -> str:
        """The text in which a search looks for its words: see `access.search`."""
        names = " ".join(value.name for value in (*self.parameters, *self.fields))
        return searchable((self.label, self.id.replace("_", " ")), self.id, self.method, self.path, self.about, names)


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    about: str
    entries: list[Entry]

    @property
    def slug(self) -> str:
        return f"section-{slugify(self.name)}"


@dataclass(frozen=True, slots=True)
class Area:
    name: str
    sections: list[Section]


def areas(document: dict[str, Any]) -> list[Area]:
    """Every operation of the document, under the headings that it gives."""
    by_tag: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append(_entry(document, method.upper(), path, operation))
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    return [
        Area(group["name"], [Section(tag, about[tag], by_tag[tag]) for tag in group["tags"]])
        for group in document["x-tagGroups"]
    ]


def found(areas: list[Area], text: str) -> list[Area]:
    """The entries that match `text`, in their sections and areas. Those that fit it best are first on each level."""
    words = words_of(text)

    def best(entries: Iterable[Entry]) -> int:
        return min(rank(text, entry.label) for entry in entries)

    left = []
    for area in areas:
        sections = [
            Section(section.name, section.about, sorted(entries, key=lambda entry: rank(text, entry.label)))
            for section in area.sections
            if (entries := [entry for entry in section.entries if matches(words, entry.search_text)])
        ]
        if sections:
            left.append(Area(area.name, sorted(sections, key=lambda section: best(section.entries))))
    return sorted(left, key=lambda area: best(area.sections[0].entries))


def _entry(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Entry:
    components = document["components"]
    schemas = components["schemas"]
    content = operation.get("requestBody", {}).get("content", {})
    body = target(next(iter(content.values()))["schema"], schemas) if content else {}
    status, success = next(iter(operation["responses"].items()))
    answer, schema = next(((kind, each.get("schema")) for kind, each in success.get("content", {}).items()), ("", None))
    return Entry(
        id=operation["operationId"],
        method=method,
        path=path,
        label=operation["summary"],
        about=operation["description"],
        permission=operation.get("x-permission", ""),
        sensitive=operation.get("x-sensitive", False),
        ours=operation.get("x-addition", False),
        instead=operation.get("x-instead", ""),
        open=operation.get("security") == [],
        parameters=[
            _value(
                each["name"],
                each["in"] + ", separated by commas" * ("explode" in each),
                {**each["schema"], "description": each.get("description", "")},
                schemas,
                required=each["required"],
            )
            for each in operation.get("parameters", [])
        ],
        fields=list(_fields(body, schemas)),
        fields_about=_marked(body.get("description", "")),
        media_types=list(content),
        status=f"{status} {success['description']}",
        answer=answer,
        headers=[(name, each["description"]) for name, each in success.get("headers", {}).items()],
        shape=_shape(schema, schemas) if schema else "",
        errors=[
            Error(status=code, description=components["responses"][each["$ref"].rpartition("/")[2]]["description"])
            for code, each in operation["responses"].items()
            if code not in EVERYWHERE and "$ref" in each
        ],
        url=document["servers"][0]["url"] + path,
        body=body if content else None,
        body_required=operation.get("requestBody", {}).get("required", False),
    )


def _value(name: str, place: str, schema: Schema, schemas: Schema, *, required: bool) -> Value:
    return Value(
        name=name,
        place=place,
        kind=_kind(schema, schemas),
        required=required,
        limits=_limits(schema, schemas),
        about=_marked(about(schema, schemas)),
    )


def _marked(text: str) -> list[str]:
    """The parts of a text, of which every second one stood between backticks."""
    return text.split("`") if text else []


def _fields(model: Schema, schemas: Schema, outer: str = "", *, needed: bool = True) -> Iterator[Value]:
    """The fields of an object; those of an object inside it follow it, by `outer.inner`."""
    for name, schema in model.get("properties", {}).items():
        required = needed and name in model.get("required", [])
        yield _value(outer + name, "body", schema, schemas, required=required)
        inner = target(without_null(schema), schemas)
        yield from _fields(inner, schemas, f"{outer}{name}.", needed=required)


def _kind(schema: Schema, schemas: Schema) -> str:
    schema = target(schema, schemas)
    if "anyOf" in schema:
        return " or ".join(_kind(each, schemas) for each in schema["anyOf"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        inner = _kind(schema.get("items", {}), schemas)
        return f"list of {inner}s" if inner.isalpha() and inner != "any" else f"list of {inner}"
    written = str(schema.get("format", kind))
    return "UUID" if written == "uuid" else written


def _limits(schema: Schema, schemas: Schema) -> str:
    inner = target(without_null(schema), schemas)
    values = inner.get("items", inner)
    limits = []
    if "enum" in values:
        limits.append("one of " + ", ".join(map(str, values["enum"])))
    if "const" in values:
        limits.append(f"always {values['const']}")
    if "pattern" in values:
        limits.append(f"matches {values['pattern']}")
    bounds = {"at least {}": "minimum", "at most {}": "maximum"}
    lengths = {"at least {} characters": "minLength", "at most {} characters": "maxLength"}
    for words, keyword in (bounds | lengths).items():
        if keyword in values and (keyword, values[keyword]) != ("minLength", 1):
            limits.append(words.format(values[keyword]))
    if values.get("minLength") == 1:
        limits.append("not blank")
    if "default" in schema:
        limits.append(f"{json.dumps(schema['default'])} if left out")
    return "; ".join(limits)


def _shape(schema: Schema, schemas: Schema, indent: str = "") -> str:
    """What an answer looks like: JSON with a type in the place of each value."""
    schema = target(schema, schemas)
    deeper = indent + "  "
    if "anyOf" in schema:
        return " or ".join(_shape(each, schemas, indent) for each in schema["anyOf"])
    if "properties" in schema:
        needed = schema.get("required", [])
        lines = [
            f'{deeper}"{name}"{"" if name in needed else "?"}: {_shape(each, schemas, deeper)}'
            for name, each in schema["properties"].items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if schema.get("type") == "array":
        return f"[{_shape(schema.get('items', {}), schemas, indent)}, …]"
    if schema.get("type") == "object":
        return "{…}"
    return _kind(schema, schemas)
