"""The devices with django-ninja: response schemas from objects, an API key, the JSON renderer of its docs."""

import hashlib
from typing import Any
from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import NinjaAPI, Schema
from ninja.renderers import BaseRenderer
from ninja.security import APIKeyHeader

from tests.benchmarks.peers.models import RELATED, SPACED, ZULU, ApiKey, Device


class Renderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data)


class Key(APIKeyHeader):
    param_name = "X-API-Key"

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        digest = hashlib.sha256((key or "").encode()).hexdigest()
        return ApiKey._default_manager.filter(digest=digest, active=True).first()


class UserOut(Schema):
    email: str
    name: str
    id: UUID
    is_archived: bool

    @staticmethod
    def resolve_id(user: Any) -> UUID:
        uuid: UUID = user.uuid
        return uuid


class DeviceOut(Schema):
    device_id: UUID
    device_name: str
    model: str
    serial_number: str
    platform: str
    os_version: str
    supplemental_build_version: str
    supplemental_os_version_extra: str
    last_check_in: str | None
    user: UserOut | None
    asset_tag: str
    blueprint_id: UUID
    mdm_enabled: bool
    agent_installed: bool
    is_missing: bool
    is_removed: bool
    agent_version: str
    first_enrollment: str
    last_enrollment: str
    blueprint_name: str
    lost_mode_status: str
    tags: list[str]
    api_level: str
    security_patch_level: str
    full_software_version: str

    @staticmethod
    def resolve_last_check_in(device: Any) -> str | None:
        return device.last_check_in.strftime(ZULU) if device.last_check_in else None

    @staticmethod
    def resolve_first_enrollment(device: Any) -> str:
        return str(device.first_enrollment.strftime(SPACED))

    @staticmethod
    def resolve_last_enrollment(device: Any) -> str:
        return str(device.last_enrollment.strftime(SPACED))

    @staticmethod
    def resolve_blueprint_id(device: Any) -> UUID:
        uuid: UUID = device.blueprint.uuid
        return uuid

    @staticmethod
    def resolve_blueprint_name(device: Any) -> str:
        return str(device.blueprint.name)

    @staticmethod
    def resolve_tags(device: Any) -> list[str]:
        return [tag.name for tag in device.tags.all()]


api = NinjaAPI(auth=Key(), renderer=Renderer(), docs_url=None)


@api.get("/devices", response=list[DeviceOut])
def list_devices(request: HttpRequest, response: HttpResponse, limit: int = 300, offset: int = 0) -> Any:
    devices = Device._default_manager.select_related(*RELATED).prefetch_related("tags")
    response["X-Total-Count"] = str(devices.count())
    return devices[offset : offset + limit]


@api.get("/devices/{device_id}", response=DeviceOut)
def get_device(request: HttpRequest, device_id: UUID) -> Any:
    devices = Device._default_manager.select_related(*RELATED).prefetch_related("tags")
    return get_object_or_404(devices, device_id=device_id)
