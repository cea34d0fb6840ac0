from typing import Any

from devices.commands.base import Request
from devices.commands.internal import InternalCommand
from devices.commands.internal.bypass_code import BypassCode
from devices.commands.internal.user_list import UserList
from devices.commands.metadata import small
from devices.inventory.information import QUERIES, is_supervised, store_information
from devices.models import APPLE, Device, DeviceCommand, Order


class DeviceInformation(InternalCommand):
    id = "device_information"
    title = "Ask for information"
    platforms = APPLE
    command_type = "DeviceInformation"
    asks_inventory = tells_facts = True

    def request(self, device: Device, body: None) -> Request:
        return Request(type=self.command_type, parameters={"Queries": list(QUERIES[device.platform])})

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        row.same_answer = store_information(row.device, answer)
        return small({"QueryResponses": answer.get("QueryResponses")})

    def followed_by(self, row: DeviceCommand) -> list[Order]:
        return for_supervised(row)


def for_supervised(row: DeviceCommand) -> list[Order]:
    """The questions for a device that has just said whether it is supervised, with this command."""
    device = row.device
    if not is_supervised(device, row.metadata):
        return []
    # A device that has no code, or has it no longer, is not asked again before it enrolls again.
    bypass_codes = device.commands.filter(command=BypassCode.id, date_requested__gte=device.last_enrollment)
    asked = row.same_answer or bypass_codes.exists()
    return [Order(UserList.id)] if asked else [Order(UserList.id), Order(BypassCode.id)]
