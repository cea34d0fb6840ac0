"""The declarations of a device now, and since when they are these."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from devices.dates import whole_seconds
from devices.declarations.declaration import PARTS, Declaration, Kind, declarations_token
from devices.declarations.required import update_of
from devices.declarations.status_items import subscribed
from devices.declarations.support import takes_declarations
from devices.models import Device, DeviceDeclarations, Enrollment

ACTIVATION, SUBSCRIPTIONS = "iru.activation", "iru.status"

# Further declarations of a device: functions that other packages add when they are loaded. The activation names the
# configurations among them. A package whose answer changes calls `planning.reconsider`.
sources: list[Callable[[Device], Iterable[Declaration]]] = []


@dataclass(frozen=True, slots=True)
class Current:
    """What a device may fetch. `changed_at`: since when the token is this one."""

    declarations: list[Declaration]
    token: str
    changed_at: datetime

    def tokens(self) -> dict[str, Any]:
        return {"SyncTokens": {"DeclarationsToken": self.token, "Timestamp": whole_seconds(self.changed_at)}}

    def items(self) -> dict[str, Any]:
        listed = {
            name: [
                {"Identifier": each.identifier, "ServerToken": each.server_token}
                for each in self.declarations
                if each.kind == kind
            ]
            for kind, name in PARTS.items()
        }
        return {"Declarations": listed, "DeclarationsToken": self.token}

    def declaration(self, kind: str, identifier: str) -> Declaration | None:
        return next((each for each in self.declarations if (each.kind, each.identifier) == (kind, identifier)), None)


def declarations_of(device: Device) -> list[Declaration]:
    """All that the device is to have; empty for one that takes no declarations."""
    if not takes_declarations(device):
        return []
    names = [{"Name": name} for name in subscribed(device)]
    found = [
        Declaration(
            Kind.CONFIGURATION,
            "com.apple.configuration.management.status-subscriptions",
            SUBSCRIPTIONS,
            {"StatusItems": names},
            "Status reports",
        )
    ]
    if update := update_of(device):
        found.append(update)
    found += [each for source in sources for each in source(device)]
    configurations = sorted(each.identifier for each in found if each.kind == Kind.CONFIGURATION)
    activation = Declaration(
        Kind.ACTIVATION,
        "com.apple.activation.simple",
        ACTIVATION,
        {"StandardConfigurations": configurations},
        "Activation",
    )
    return [activation, *found]


def current(device: Device, enrollment: Enrollment) -> Current:
    """The declarations of a locked device. What the device can fetch from now on is noted."""
    declarations = declarations_of(device)
    token = declarations_token(declarations)
    row = noted(device, enrollment)
    if row is None or row.token != token:
        now = timezone.now()
        fresh = {"token": token, "changed_at": now}
        if row is None:
            # What was noted of a former enrollment is over.
            fresh |= {"enrollment": enrollment, "status": {}, "states": {}, "errors": [], "strangers": []}
            fresh["reported_at"] = None
        DeviceDeclarations.objects.update_or_create(device=device, defaults=fresh)
        return Current(declarations, token, now)
    return Current(declarations, token, row.changed_at)


def noted(device: Device, enrollment: Enrollment) -> DeviceDeclarations | None:
    """What was noted of the declarations of this enrollment."""
    return DeviceDeclarations.objects.filter(device=device, enrollment=enrollment).first()
