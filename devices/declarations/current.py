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


def declaration_of(device: Device, kind: str, identifier: str) -> Declaration | None:
    return next((each for each in declarations_of(device) if (each.kind, each.identifier) == (kind, identifier)), None)


def current(device: Device, enrollment: Enrollment) -> Current:
    """The declarations of a locked device. Their token is stored, because the device is told of it now."""
    declarations = declarations_of(device)
    token = declarations_token(declarations)
    row = noted(device, enrollment) or begun(device, enrollment)
    if row.token != token:
        row.token, row.changed_at = token, timezone.now()
        row.save(update_fields=["token", "changed_at"])
    return Current(declarations, token, row.changed_at)


def noted(device: Device, enrollment: Enrollment) -> DeviceDeclarations | None:
    """What is stored of the declarations of this enrollment; None before the device was told of any."""
    return DeviceDeclarations.objects.filter(device=device, enrollment=enrollment).first()


def begun(device: Device, enrollment: Enrollment) -> DeviceDeclarations:
    """An empty row for an enrollment of which nothing was noted. That of a former one is over."""
    row = DeviceDeclarations(device=device, enrollment=enrollment)
    DeviceDeclarations.objects.filter(device=device).delete()
    row.save(force_insert=True)
    return row
