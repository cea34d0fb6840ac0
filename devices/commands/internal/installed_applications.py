from typing import Any

from devices.commands.base import Request
from devices.commands.internal import InternalCommand
from devices.inventory.software import APP_ITEMS, store_apps
from devices.models import APPLE, MACS, Device, DeviceCommand


class InstalledApplications(InternalCommand):
    id = "installed_applications"
    title = "Ask for applications"
    platforms = APPLE
    command_type = "InstalledApplicationList"
    asks_inventory = True

    def request(self, device: Device, body: None) -> Request:
        # A Mac answers everything, and knows no `Items`.
        chosen = {} if device.platform in MACS else {"Items": list(APP_ITEMS)}
        return Request(type=self.command_type, parameters=chosen)

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        return {"count": store_apps(row.device, answer)}
