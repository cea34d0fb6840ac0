from typing import Any

from devices.commands.internal.library import LibraryInstall
from devices.library.desired import payloads
from devices.models import APPLE, DeviceCommand, LibraryItem


class InstallProfile(LibraryInstall):
    id = "install_profile"
    title = "Install a profile"
    platforms = APPLE
    command_type = "InstallProfile"

    def content(self, row: DeviceCommand, item: LibraryItem) -> dict[str, Any]:
        return {"Payload": payloads.profile(row.device.tenant, item)}
