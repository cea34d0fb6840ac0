from typing import Any

from devices.commands.internal.library import LibraryInstall, manifest_url
from devices.models import MACS, DeviceCommand, LibraryItem


class InstallEnterpriseApplication(LibraryInstall):
    """Installs a package, which the Mac fetches by the links in a manifest. The app is not managed."""

    id = "install_enterprise_application"
    title = "Install a package"
    platforms = MACS
    command_type = "InstallEnterpriseApplication"

    def content(self, row: DeviceCommand, item: LibraryItem) -> dict[str, Any]:
        return {"ManifestURL": manifest_url(row, item)}
