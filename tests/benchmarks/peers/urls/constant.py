"""The least that Django does for a request: a view that answers bytes of one of our answers."""

from pathlib import Path
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.benchmarks.peers.settings import BODIES

_LIST = Path(BODIES, "list").read_bytes()
_DEVICE = Path(BODIES, "device").read_bytes()


def list_devices(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_LIST, content_type="application/json")


def get_device(request: HttpRequest, device_id: UUID) -> HttpResponse:
    return HttpResponse(_DEVICE, content_type="application/json")


urlpatterns = [path("api/v1/devices", list_devices), path("api/v1/devices/<uuid:device_id>", get_device)]
