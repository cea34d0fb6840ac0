from typing import Any

from devices.commands.internal import InternalCommand
from devices.commands.metadata import small
from devices.inventory.answers import MOST_ROWS, section, text
from devices.models import MOBILE, DeviceCommand


class ManagedApplications(InternalCommand):
    """The states of the apps that this server installed: what the device makes of each is kept with the command."""

    id = "managed_applications"
    title = "Ask for managed applications"
    platforms = MOBILE
    command_type = "ManagedApplicationList"
    asks_inventory = True

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        apps = section(answer, "ManagedApplicationList")
        states = {
            identifier: state
            for identifier in list(apps)[:MOST_ROWS]
            if isinstance(identifier, str) and (state := text(section(apps, identifier), "Status", most=50))
        }
        return small({"ManagedApplicationList": states})
