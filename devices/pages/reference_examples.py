"""The example calls of the API reference, in the shell and in Python, with every field of a body."""

import json
import pprint
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings

from access.models import Tenant
from devices.api.json_schemas import Schema, target, without_null
from devices.api.rendering import JSON
from devices.api.uploads import MULTIPART
from devices.pages.reference_entries import Entry

TOKEN = "IRU_TOKEN"  # noqa: S105 - the name of a variable, not a token
EXAMPLE_ID = "00000000-0000-4000-8000-000000000000"
BY_TYPE = {"boolean": True, "integer": 1, "number": 1, "object": {}, "string": "example"}
# Values that an operation takes, by the name of the field; of all others the type or the first choice is shown.
BY_NAME: dict[str, Any] = {
    "name": "Example",
    "description": "Made by an integration",
    "code": "482915",
    "color": "blue-500",
    "icon": "laptop",
    "content": "Handed over at the front desk.",
    "asset_tag": "MAC-0042",
    "tags": ["Front desk"],
    "email": "support@example.com",
    "phone": "+1 555 0100",
    "script": "#!/bin/zsh\nexit 0",
    "remediation_script": "#!/bin/zsh\nexit 0",
    "audit_script": "#!/bin/zsh\nexit 0",
    "preinstall_script": "#!/bin/zsh\nexit 0",
    "postinstall_script": "#!/bin/zsh\nexit 0",
    "install_enforcement": "continuously_enforce",
    "execution_frequency": "every_day",
    "unzip_location": "/Applications",
    "filename": "Example.ipa",
    "category": "apps",
    "columns": ["name", "version"],
    "sort_by": "name",
    "filter": {"name": {"like": ["Safari"]}},
    "permissions": ["list_devices"],
    "expires_at": "2031-01-31T12:00:00Z",
    "networks": ["203.0.113.0/24"],
    "use_blueprint_routing": False,
    "disabled": False,
    # Only a map has nodes, and few devices another enrollment profile.
    "assignment_node_id": None,
    "override_dep_profile_id": None,
    "PIN": "123456",
    "Message": "Please call us.",
    "PhoneNumber": "+1 555 0100",
    "Footnote": "Property of the organization",
    "UserName": "alex",
    "DeviceName": "Front desk",
}


def reachable(entry: Entry, tenant: Tenant) -> Entry:
    """The entry with an address that every program can look up. Of the names below `localhost`, which a quick start
    uses, many look up none; it serves the API on its bare host too."""
    if not tenant.api_host.partition(":")[0].endswith(".localhost") or not settings.IRU_BARE_API_HOSTS:
        return entry
    port = f":{settings.IRU_PORT}" if settings.IRU_PORT else ""
    origin = f"{settings.IRU_SCHEME}://{settings.IRU_BARE_API_HOSTS[0]}{port}"
    return replace(entry, url=origin + entry.url.removeprefix(tenant.api_origin))


def body_of(entry: Entry, schemas: Mapping[str, Schema], values: Mapping[str, str]) -> dict[str, Any] | None:
    """A body with every field; None where the operation takes none. `values` are ids, by the names of fields."""
    if entry.body is None:
        return None
    fields = {
        name: _example(name, schema, dict(schemas), values) for name, schema in entry.body.get("properties", {}).items()
    }
    if entry.id == "create_blueprint":
        fields["source"] = {"type": "template", "id": "1"}
    return fields


def curl(entry: Entry, body: dict[str, Any] | None, values: Mapping[str, str]) -> str:
    """A command line. A value that is not known is a variable of the shell."""
    # Braces would be curl's own; and the shell puts values in between double quotes alone.
    url = _filled(entry, values, "${}")
    parts = ["curl" if entry.method == "GET" else f"curl -X {entry.method}", f'"{url}"']
    if not entry.open:
        parts.append(f'-H "Authorization: Bearer ${TOKEN}"')
    if body is not None and entry.media_types == [MULTIPART]:
        parts += [f"-F {shlex.quote(f'{name}={_form_value(entry, name, value)}')}" for name, value in body.items()]
    elif body is not None:
        text = json.dumps(body, ensure_ascii=False)
        if len(text) > 80:
            text = json.dumps(body, ensure_ascii=False, indent=2)
        parts += [f'-H "Content-Type: {JSON}"', f"-d {shlex.quote(text)}"]
    if _is_file(entry):
        parts.append("-OJ")  # a file, under the name that the server gives it
    return " ".join(parts[:2]) + "".join(f" \\\n  {part}" for part in parts[2:])


def python(entry: Entry, body: dict[str, Any] | None, values: Mapping[str, str]) -> str:
    """A program that makes the call with the library `requests`. A value that is not known is a variable of the
    environment, as the token is."""
    url = _filled(entry, values, "{{os.environ['{}']}}")
    arguments = [f'{"f" if "os.environ" in url else ""}"{url}"']
    if not entry.open:
        arguments.append(f"""headers={{"Authorization": f"Bearer {{os.environ['{TOKEN}']}}"}}""")
    if body is not None and entry.media_types == [MULTIPART]:
        files = {name for name in body if _is_upload(entry, name)}
        fields = {name: _form_value(entry, name, value) for name, value in body.items() if name not in files}
        arguments.append(f"data={_literal(fields)}")
        arguments += [f'files={{"{name}": open("{name}", "rb")}}' for name in sorted(files)]
    elif body is not None:
        arguments.append(f"json={_literal(body)}")
    arguments.append("timeout=30")
    lines = ["import os", "", "import requests", "", f"response = requests.{entry.method.lower()}("]
    if "os.environ" not in "".join(arguments):
        del lines[:2]
    lines += [f"    {each}," for each in arguments]
    lines += [")", "response.raise_for_status()"]
    if _is_file(entry):
        lines += ['with open("answer", "wb") as file:', "    file.write(response.content)"]
    elif entry.answer:
        lines.append("print(response.json())")
    return "\n".join(lines)


def _filled(entry: Entry, values: Mapping[str, str], variable: str) -> str:
    url = re.sub(r"{(\w+)}", lambda match: values.get(match[1]) or variable.format(match[1].upper()), entry.url)
    required = [each.name for each in entry.parameters if each.place.startswith("query") and each.required]
    query = "&".join(f"{name}={values.get(name) or variable.format(name.upper())}" for name in required)
    return url + (f"?{query}" if query else "")


def _is_file(entry: Entry) -> bool:
    return bool(entry.answer) and not entry.answer.endswith("json")


def _is_upload(entry: Entry, name: str) -> bool:
    return bool((entry.body or {})["properties"][name].get("format") == "binary")


def _form_value(entry: Entry, name: str, value: Any) -> str:
    if _is_upload(entry, name):
        return "@file"
    return value if isinstance(value, str) else json.dumps(value)


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=76, sort_dicts=False).replace("\n", "\n    ")


def _example(name: str, schema: Schema, schemas: dict[str, Schema], values: Mapping[str, str]) -> Any:
    if name in values:
        return values[name]
    schema = target(without_null(schema), schemas)
    if "anyOf" in schema:
        schema = target(schema["anyOf"][0], schemas)
    if "properties" in schema:
        return {key: _example(key, each, schemas, values) for key, each in schema["properties"].items()}
    if name in BY_NAME:
        return BY_NAME[name]
    if schema.get("type") == "array":
        return [_example(name.removesuffix("s"), schema.get("items", {}), schemas, values)]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "uuid":
        return EXAMPLE_ID
    return schema.get("const", BY_TYPE.get(schema.get("type", ""), "example"))
