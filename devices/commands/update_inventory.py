from collections.abc import Collection
from typing import Any

from devices.commands.base import Command, MenuGroup, Request, csp
from devices.commands.internal import questions
from devices.commands.internal.device_information import DeviceInformation, for_supervised
from devices.commands.metadata import small
from devices.inventory.information import QUERIES, store_information
from devices.models import APPLE, Device, DeviceCommand, Order, Platform


class UpdateInventory(Command[None]):
    id = "update_inventory"
    order = 220
    action = "updateinventory"
    label = "Update device inventory"
    title = "Update inventory"
    about = "Ask a device to report its hardware, system and apps"
    group = MenuGroup.MANAGE
    icon = "clipboard-list"
    consequence = "The device reports its hardware, system and apps again. Its user does not notice."
    platforms = APPLE | {Platform.WINDOWS}
    command_type = "DeviceInformation"
    tells_facts = True

    def request(self, device: Device, body: None) -> Request:
        if device.platform == Platform.WINDOWS:
            return csp("DevDetail", "Get", "./DevDetail?list=StructData")
        return Request(type="DeviceInformation", parameters={"Queries": list(QUERIES[device.platform])})

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        if row.device.platform in APPLE:
            row.same_answer = store_information(row.device, answer)
        return small(answer)

    def followed_by(self, row: DeviceCommand) -> Collection[Order]:
        if row.device.platform not in APPLE:
            return ()
        return [*questions(but=DeviceInformation.id), *for_supervised(row)]
