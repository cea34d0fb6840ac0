"""What the generated tests need for an operation, made from its declaration: so a new operation needs nothing here."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import factory
from pydantic import BaseModel

from access.models import Tenant
from access.permissions import catalogue
from devices.api.routing import Operation
from devices.commands import COMMANDS
from devices.fleet import lost_mode
from devices.models import Platform
from tests.factories import devices as factories

EVERY_PERMISSION = [permission.codename for permission in catalogue]
EXAMPLE_ID = "98765000-0000-4000-8000-000000000004"

# What must have happened before, for an operation that undoes something. It is given what `objects` made, by name.
BEFORE: dict[str, Callable[[dict[str, Any]], object]] = {
    "remove_library_item": lambda made: factories.AssignmentFactory(
        blueprint=made["blueprint"], library_item=made["library_item"]
    ),
    "get_device_lost_mode": lambda made: factories.LostModeFactory(device=made["device"]),
    "cancel_lost_mode": lambda made: factories.LostModeFactory(device=made["device"], status=lost_mode.ERROR),
}


def parameters(operation: Operation) -> list[str]:
    return re.findall(r"{(\w+)}", operation.path)


def path(operation: Operation, values: dict[str, Any]) -> str:
    return operation.path.format(**values)


def objects(operation: Operation, tenant: Tenant) -> dict[str, Any]:
    """An object of the tenant for each parameter of the path: `device_id` is made by DeviceFactory.

    What the body names by its id is made too, once for the tenant.
    """
    made: dict[str, Any] = {"tenant": tenant}
    ids = {}
    for parameter in parameters(operation):
        name = parameter.removesuffix("_id")
        made[name] = _make(name, made, **(_fitting(operation) if name == "device" else {}))
        ids[parameter] = made[name].uuid
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


def _factory(name: str) -> Any:
    make = getattr(factories, f"{name.title().replace('_', '')}Factory")
    assert issubclass(make, factory.Factory)
    return make


def _make(name: str, made: dict[str, Any], **given: Any) -> Any:
    make = _factory(name)
    fields = {field.name for field in make._meta.model._meta.get_fields()}
    return make(**{key: value for key, value in made.items() if key in fields}, **given)


def body(operation: Operation) -> dict[str, Any] | None:
    """The smallest body that the operation takes: its required fields."""
    return _required(operation.body) if operation.body else None


def _required(schema: type[BaseModel]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in schema.model_fields.items():
        if field.is_required():
            annotation: Any = field.annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                values[field.alias or name] = _required(annotation)
            elif annotation is bool:
                values[field.alias or name] = True
            elif annotation is UUID:
                values[field.alias or name] = EXAMPLE_ID
            else:
                values[field.alias or name] = "example"
    return values
