from collections.abc import Collection
from typing import Any

from devices.commands.base import Superfluous
from devices.commands.internal import InternalCommand
from devices.commands.internal.profile_list import ProfileList
from devices.inventory.known import forget_answer
from devices.library.desired import evidence, payloads
from devices.library.desired.escrows import brings_escrow
from devices.models import APPLE, MACS, DeviceCommand, Order


class InstallProfile(InternalCommand):
    """Installs a profile of the Library as it is when the device fetches the command. The list of profiles is proof."""

    id = "install_profile"
    title = "Install a profile"
    platforms = APPLE
    command_type = "InstallProfile"
    rank = 2

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        wanted = evidence.to_install(row.device, row.subject)
        if wanted is None or wanted.item is None:
            raise Superfluous
        return {"RequestType": row.request_type, "Payload": payloads.profile(row.device.tenant, wanted.item)}

    def on_completed(self, row: DeviceCommand) -> None:
        evidence.taken(row.device, row.subject, installed=True)

    def on_failed(self, row: DeviceCommand) -> None:
        evidence.refused(row.device, row.subject, row.error_chain, installing=True)
        if row.device.platform in MACS and brings_escrow(row.device):
            forget_answer(row.device, ProfileList.id)  # the same list may have what stands in its way

    def followed_by(self, row: DeviceCommand) -> Collection[Order]:
        return [Order(ProfileList.id)]

    def followed_on_failure(self, row: DeviceCommand) -> Collection[Order]:
        return self.followed_by(row) if row.device.platform in MACS and brings_escrow(row.device) else []
