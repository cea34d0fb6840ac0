from collections.abc import Collection
from typing import Any

from devices.commands.internal.library import LibraryInstall
from devices.commands.internal.profile_list import ProfileList
from devices.inventory.known import forget_answer
from devices.library.desired import payloads
from devices.library.desired.escrows import brings_escrow
from devices.models import APPLE, MACS, DeviceCommand, LibraryItem, Order


class InstallProfile(LibraryInstall):
    id = "install_profile"
    title = "Install a profile"
    platforms = APPLE
    command_type = "InstallProfile"

    def content(self, row: DeviceCommand, item: LibraryItem) -> dict[str, Any]:
        return {"Payload": payloads.profile(row.device.tenant, item)}

    def followed_on_failure(self, row: DeviceCommand) -> Collection[Order]:
        if row.device.platform not in MACS or not brings_escrow(row.device):
            return []
        forget_answer(row.device, ProfileList.id)  # an unchanged list may have our escrow, which blocks this one
        return self.followed_by(row)
