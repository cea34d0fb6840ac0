from typing import Any

from devices.commands.base import Request
from devices.commands.internal import InternalCommand
from devices.inventory.software import store_profiles
from devices.models import APPLE, Device, DeviceCommand


class ProfileList(InternalCommand):
    id = "profile_list"
    title = "Ask for profiles"
    platforms = APPLE
    command_type = "ProfileList"
    asks_inventory = True

    def request(self, device: Device, body: None) -> Request:
        return Request(type=self.command_type, parameters={"ManagedOnly": False})

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        return {"count": store_profiles(row.device, answer)}
