from typing import Any

from devices.commands.base import Request
from devices.commands.internal import InternalCommand
from devices.commands.internal.escrow_profile import EscrowProfile
from devices.enrollment.escrow import lacks_escrow
from devices.inventory.known import forget_answer
from devices.inventory.software import store_profiles
from devices.library.desired import evidence
from devices.library.desired.evidence import Sighting
from devices.library.desired.plan import orders
from devices.library.desired.ways import PROFILES
from devices.models import APPLE, MACS, Device, DeviceCommand, DeviceInventory, Order


class ProfileList(InternalCommand):
    id = "profile_list"
    title = "Ask for profiles"
    platforms = APPLE
    command_type = "ProfileList"
    asks_inventory = True

    def request(self, device: Device, body: None) -> Request:
        return Request(type=self.command_type, parameters={"ManagedOnly": False})

    def take_answer(self, row: DeviceCommand, answer: dict[str, Any]) -> dict[str, Any]:
        versions, row.same_answer = store_profiles(row.device, answer)
        if versions is None:
            return {"count": None}
        row.lacks_items = evidence.shown(
            row.device, PROFILES, lambda item: Sighting(version=versions.get(item.identifier, ""))
        )
        return {"count": len(versions)}

    def followed_by(self, row: DeviceCommand) -> list[Order]:
        if row.metadata.get("count") is None:
            return []
        return [*self._escrow(row), *(orders(row.device) if row.lacks_items else ())]

    def _escrow(self, row: DeviceCommand) -> list[Order]:
        if row.device.platform not in MACS or row.same_answer:
            return []
        found = DeviceInventory.objects.filter(device=row.device)
        profiles = found.values_list("details__installed_profiles", flat=True).first() or []
        if not lacks_escrow(row.device.tenant, profiles):
            return []
        forget_answer(row.device, "profile_list")  # the same list lacks it the next time, too
        return [Order(EscrowProfile.id)]
