from typing import Any

from devices.commands.base import Request
from devices.commands.internal import InternalCommand
from devices.inventory.software import APP_ITEMS, app_versions, store_apps
from devices.library.desired.installed_packages import take_apps, take_no_apps
from devices.library.desired.plan import orders
from devices.library.desired.ways import CUSTOM_APPS
from devices.models import APPLE, MACS, Device, DeviceCommand, Order


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
        count = store_apps(row.device, answer)
        if count is not None and row.device.platform in MACS:
            row.lacks_items = take_apps(row.device, app_versions(answer))
        return {"count": count}

    def on_failed(self, row: DeviceCommand) -> None:
        if row.device.platform in MACS:
            row.lacks_items = take_no_apps(row.device)

    def followed_by(self, row: DeviceCommand) -> list[Order]:
        return orders(row.device, looked=CUSTOM_APPS) if row.lacks_items else []

    def followed_on_failure(self, row: DeviceCommand) -> list[Order]:
        return self.followed_by(row)
