"""What the generated tests need for an operation, made from its declaration: so a new operation needs nothing here."""

import re
from typing import Any
from uuid import UUID

import factory
from pydantic import BaseModel

from access.models import Tenant
from devices.api.routing import Operation
from tests.factories import devices as factories


def parameters(operation: Operation) -> list[str]:
    return re.findall(r"{(\w+)}", operation.path)


def path(operation: Operation, values: dict[str, Any]) -> str:
    return operation.path.format(**values)


def objects(operation: Operation, tenant: Tenant) -> dict[str, Any]:
    """An object of the tenant for each parameter of the path: `device_id` is made by DeviceFactory."""
    made: dict[str, Any] = {"tenant": tenant}
    ids = {}
    for parameter in parameters(operation):
        name = parameter.removesuffix("_id")
        make = getattr(factories, f"{name.title().replace('_', '')}Factory")
        assert issubclass(make, factory.Factory)
        fields = {field.name for field in make._meta.model._meta.get_fields()}
        made[name] = make(**{key: value for key, value in made.items() if key in fields})
        ids[parameter] = made[name].uuid
    return ids


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
                values[field.alias or name] = "98765000-0000-4000-8000-000000000004"
            else:
                values[field.alias or name] = "example"
    return values
