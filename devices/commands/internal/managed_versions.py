from typing import Any

from devices.commands.base import Request
from devices.commands.internal import InternalCommand
from devices.inventory.answers import rows, text
from devices.library.desired import managed_apps
from devices.library.desired.plan import orders
from devices.models import APPLE, MACS, Device, DeviceCommand, Order


class ManagedVersions(InternalCommand):
    """The versions of the managed apps. It follows their states, which lack the versions."""

    id = "managed_versions"
    title = "Ask for the versions of managed applications"
    platforms = APPLE - MACS
    command_type = "InstalledApplicationList"

    def request(self, device: Device, body: None) -> Request:
        chosen = {"ManagedAppsOnly": True, "Items": ["Identifier", "ShortVersion", "Version"]}
        return Request(type=self.command_type, parameters=chosen)

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        apps = rows(answer, "InstalledApplicationList")
        if apps is None:
            return {"count": None}
        versions = {
            identifier: (text(app, "ShortVersion") or "", text(app, "Version") or "")
            for app in apps
            if (identifier := text(app, "Identifier"))
        }
        row.lacks_items = managed_apps.take_versions(row.device, versions)
        return {"count": len(versions)}

    def followed_by(self, row: DeviceCommand) -> list[Order]:
        return orders(row.device) if row.lacks_items else []
