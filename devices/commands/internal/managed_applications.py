from typing import Any

from devices.commands.internal import InternalCommand
from devices.commands.internal.managed_versions import ManagedVersions
from devices.commands.metadata import small
from devices.inventory.answers import MOST_ROWS, section, text
from devices.library.desired import managed_apps
from devices.library.desired.plan import orders
from devices.models import APPLE, MACS, DeviceCommand, Order


class ManagedApplications(InternalCommand):
    """The states of the apps that this server installed: proof of an in-house app, together with their versions."""

    id = "managed_applications"
    title = "Ask for managed applications"
    platforms = APPLE - MACS
    command_type = "ManagedApplicationList"
    asks_inventory = True

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        apps = section(answer, "ManagedApplicationList")
        states = {
            identifier: state
            for identifier in list(apps)[:MOST_ROWS]
            if isinstance(identifier, str) and (state := text(section(apps, identifier), "Status", most=50))
        }
        if isinstance(answer.get("ManagedApplicationList"), dict):
            row.lacks_items, row.unproven = managed_apps.take_states(row.device, states)
        return small({"ManagedApplicationList": states})

    def on_failed(self, row: DeviceCommand) -> None:
        managed_apps.take_no_states(row.device)

    def followed_by(self, row: DeviceCommand) -> list[Order]:
        versions = [Order(ManagedVersions.id)] if row.unproven else []
        return [*versions, *(orders(row.device) if row.lacks_items else ())]
