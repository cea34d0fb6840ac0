"""What the generated tests need for an operation, made from its declaration: so a new operation needs nothing here."""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import factory
from pydantic import BaseModel

from access.models import Tenant
from access.permissions import catalogue
from devices.api.operations import ade
from devices.api.routing import Operation
from devices.api.schemas.ade import OptionalUUID
from devices.commands import COMMANDS
from devices.enrollment.authorities import Purpose, authority
from devices.fleet import lost_mode
from devices.models import AdeIntegration, Platform, PushCertificate
from tests import apple
from tests.factories import devices as factories
from tests.factories.access import ApiTokenFactory

# The example file of each operation.
SERVER_TOKEN = (apple.FILES / "aes256_ber.p7m").read_bytes()
FILES = {
    "create_custom_profile": factories.PROFILE.encode(),
    "create_ade_integration": SERVER_TOKEN,
    "renew_ade_integration": SERVER_TOKEN,
}
# An example for operations that need one of several optional fields.
ALSO: dict[str, dict[str, Any]] = {
    "create_ade_integration": {"use_blueprint_routing": True},
    "renew_ade_integration": {"use_blueprint_routing": True},
    "update_api_token": {"description": "Changed"},
}
# The segment of a Library path, and the factory for an item of that kind.
LIBRARY = {
    "custom-apps": "custom_app",
    "custom-profiles": "custom_profile",
    "custom-scripts": "custom_script",
    "ipa-apps": "ipa_app",
}
EXAMPLE_TEXT = "example"
# Path parameters that are not a UUID, and the attribute with their value.
NAMES = {"cve_id": "cve_id", "token_id": "id"}
EVERY_PERMISSION = [permission.codename for permission in catalogue]
EXAMPLE_ID = "98765000-0000-4000-8000-000000000004"

# What must have happened before, for an operation that undoes something. It is given what `objects` made, by name.
BEFORE: dict[str, Callable[[dict[str, Any]], object]] = {
    "remove_library_item": lambda made: factories.AssignmentFactory(
        blueprint=made["blueprint"], library_item=made["library_item"]
    ),
    "create_custom_app": lambda made: _upload(made["tenant"], factories.StoredFileFactory),
    "create_ipa_app": lambda made: _upload(made["tenant"], factories.PendingUploadFactory),
    "create_ade_integration": lambda made: _server_of_the_file(made["tenant"], None),
    "renew_ade_integration": lambda made: _server_of_the_file(made["tenant"], made["ade_token"]),
    "get_device_lost_mode": lambda made: factories.LostModeFactory(device=made["device"]),
    "get_manual_enrollment_profile": lambda made: _ready_for_devices(made["tenant"]),
    "cancel_lost_mode": lambda made: factories.LostModeFactory(device=made["device"], status=lost_mode.ERROR),
}


def _ready_for_devices(tenant: Tenant) -> None:
    """Give the tenant what an enrollment profile needs; its first one would make the signing certificate."""
    if not PushCertificate.objects.filter(tenant=tenant).exists():
        factories.PushCertificateFactory.create(tenant=tenant)
    authority(tenant, Purpose.SIGNING)


def _upload(tenant: Tenant, make: Any) -> object:
    """The file that the body refers to. A key belongs to one tenant, the first that uses it."""
    uploads: Any = make._meta.model.objects
    return uploads.filter(key=EXAMPLE_TEXT).first() or make(tenant=tenant, key=EXAMPLE_TEXT)


def parameters(operation: Operation) -> list[str]:
    return re.findall(r"{(\w+)}", operation.path)


def path(operation: Operation, values: dict[str, Any], ending: str | None = None) -> str:
    """The path with these values and the required query. `ending` replaces the closing slash, or adds one."""
    made = operation.path.format(**values)
    made = made if ending is None else made.rstrip("/") + ending
    required = _required(operation.query) if operation.query else {}
    return made + (f"?{urlencode(required)}" if required else "")


def objects(operation: Operation, tenant: Tenant) -> dict[str, Any]:
    """An object of the tenant for each parameter of the path: `device_id` is made by DeviceFactory.

    What the body names by its id is made too, once for the tenant.
    """
    made: dict[str, Any] = {"tenant": tenant}
    ids = {}
    for parameter in parameters(operation):
        name = parameter.removesuffix("_id")
        if operation.path.startswith(f"{ade.router.prefix}/devices/"):
            name = "ade_device"
        fitting = _fitting(operation) if name == "device" else {}
        kind = LIBRARY.get(operation.path.split("/")[4], name) if name == "library_item" else name
        kind = {"command": "device_command"}.get(kind, kind)
        made[name] = _make(kind, made, **fitting)
        ids[parameter] = getattr(made[name], NAMES.get(parameter, "uuid"))
    for field, value in (body(operation) or {}).items():
        if value == EXAMPLE_ID:
            name = field.removesuffix("_id")
            model = _factory(name)._meta.model
            made[name] = model.objects.filter(tenant=tenant, uuid=value).first() or _make(name, made, uuid=value)
    if operation.id in BEFORE:
        BEFORE[operation.id](made)
    return ids


def _fitting(operation: Operation) -> dict[str, Any]:
    """For a command, a platform that takes it."""
    command = COMMANDS.get(operation.id)
    return {"platform": next(platform for platform in Platform if platform in command.platforms)} if command else {}


def _server_of_the_file(tenant: Tenant, integration: AdeIntegration | None) -> None:
    """Let the tenant decrypt the token file. Its server becomes that of the integration, or belongs to none."""
    apple.known_key_pair(tenant)
    tenant.ade_integrations.filter(server_uuid=apple.SERVER_UUID).delete()
    if integration:
        integration.server_uuid = apple.SERVER_UUID
        integration.save(update_fields=["server_uuid"])


def _factory(name: str) -> Any:
    if name == "token":
        return ApiTokenFactory
    make = getattr(factories, f"{name.title().replace('_', '')}Factory")
    assert issubclass(make, factory.Factory)
    return make


def _make(name: str, made: dict[str, Any], **given: Any) -> Any:
    make = _factory(name)
    fields = {field.name for field in make._meta.model._meta.get_fields()}
    return make(**{key: value for key, value in made.items() if key in fields}, **given)


def body(operation: Operation) -> dict[str, Any] | None:
    """The smallest body that the operation takes: its required fields, and its files as bytes."""
    files = dict.fromkeys(operation.upload.files, FILES.get(operation.id)) if operation.upload else {}
    return {**_required(operation.body), **ALSO.get(operation.id, {}), **files} if operation.body else None


def _required(schema: type[BaseModel]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in schema.model_fields.items():
        if field.is_required():
            annotation: Any = field.annotation
            if field.examples:
                values[field.alias or name] = field.examples[0]
            elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
                values[field.alias or name] = _required(annotation)
            elif annotation is bool:
                values[field.alias or name] = True
            elif isinstance(annotation, type) and issubclass(annotation, Enum):
                values[field.alias or name] = next(iter(annotation)).value
            elif annotation is UUID or annotation == OptionalUUID:
                values[field.alias or name] = EXAMPLE_ID
            elif name == "email":
                values[field.alias or name] = "example@accuhive.test"
            else:
                values[field.alias or name] = EXAMPLE_TEXT
    return values
