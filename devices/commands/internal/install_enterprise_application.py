from typing import Any

from devices.commands.base import CannotDeliver
from devices.commands.internal.library import LibraryInstall
from devices.enrollment.enrollments import enrollment_of
from devices.library.desired import links
from devices.models import MACS, DeviceCommand, LibraryItem


class InstallEnterpriseApplication(LibraryInstall):
    """Installs a package, which the Mac fetches by the links in a manifest. The app is not managed."""

    id = "install_enterprise_application"
    title = "Install a package"
    platforms = MACS
    command_type = "InstallEnterpriseApplication"

    def content(self, row: DeviceCommand, item: LibraryItem) -> dict[str, Any]:
        enrollment = enrollment_of(row.device)
        if enrollment is None:
            raise CannotDeliver("The device is not enrolled.")
        return {"ManifestURL": links.manifest_url(row.device.tenant, enrollment.pk, item)}
