from collections.abc import Collection
from typing import Any

from devices.commands.internal import InternalCommand
from devices.enrollment.escrow import identifier_of
from devices.library.desired import escrows
from devices.library.desired.plan import orders
from devices.models import MACS, DeviceCommand, Order


class RemoveEscrowProfile(InternalCommand):
    """Makes room for a profile of the Library that has the FileVault recovery key sent elsewhere."""

    id = "remove_escrow_profile"
    title = "Remove the profile for FileVault recovery keys"
    platforms = MACS
    command_type = "RemoveProfile"
    rank = 2

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        return {"RequestType": row.request_type, "Identifier": identifier_of(row.device.tenant)}

    def on_completed(self, row: DeviceCommand) -> None:
        escrows.try_again(row.device)

    def followed_by(self, row: DeviceCommand) -> Collection[Order]:
        return orders(row.device)
