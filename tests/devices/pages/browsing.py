"""How the tests of the pages ask for them, and what they look for in all of them."""

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from access.models import AuditEvent, Tenant
from devices.models import Device
from tests.types import Response

NAME = "Ana\u2019s Mac"  # with the apostrophe that Macs write
HTMX = {"HX-Request": "true"}
XSS = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'

type SignIn = Callable[..., Client]


def page(name: str, device: Device, *args: Any) -> str:
    return reverse(name, args=[device.uuid, *args])


def on(path: str) -> dict[str, str]:
    """The headers that htmx sends from this page."""
    return {**HTMX, "HX-Current-URL": f"http://testserver{path}"}


def text(response: Response) -> str:
    return response.getvalue().decode()  # also of a file that is streamed


def newest(tenant: Tenant) -> AuditEvent:
    event = tenant.audit_events.order_by("-sequence").first()
    assert event
    return event


def unkept(response: Response) -> bool:
    """Whether nothing on the way may store the reply or tell another site where it was."""
    return "no-store" in response["Cache-Control"] and response["Referrer-Policy"] in ("no-referrer", "same-origin")
