from typing import Any

from devices.commands.internal import InternalCommand
from devices.inventory.people import store_users
from devices.models import MACS, DeviceCommand


class UserList(InternalCommand):
    """Of the mobile devices, only a Shared iPad has users."""

    id = "user_list"
    title = "Ask for users"
    platforms = MACS
    command_type = "UserList"
    asks_inventory = True
    only_supervised = True

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        return {"count": store_users(row.device, answer)}
