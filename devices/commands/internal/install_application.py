from typing import Any

from devices.commands.internal.library import LibraryInstall, manifest_url
from devices.declarations.support import Since, knows
from devices.inventory.answers import text
from devices.models import APPLE, MACS, DeviceCommand, LibraryItem, Platform

REMOVED_WITH_ENROLLMENT = 1
# Since then the app of a user is taken over; before, the device refuses it.
TAKES_OVER: Since = {Platform.IPHONE: (9,), Platform.IPAD: (9,), Platform.APPLE_TV: (10, 2)}
UNDECIDED = {"AppAlreadyInstalled", "AppAlreadyQueued"}  # the list of the device says what became of it


class InstallApplication(LibraryInstall):
    """Installs an in-house app, which the device fetches by the links in a manifest."""

    id = "install_application"
    title = "Install an in-house app"
    platforms = APPLE - MACS
    command_type = "InstallApplication"

    def content(self, row: DeviceCommand, item: LibraryItem) -> dict[str, Any]:
        content = {"ManifestURL": manifest_url(row, item), "ManagementFlags": REMOVED_WITH_ENROLLMENT}
        return content | ({"ChangeManagementState": "Managed"} if knows(row.device, TAKES_OVER) else {})

    def refusal(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        reason = text(answer, "RejectionReason", most=100)
        if not reason or reason in UNDECIDED:
            return []
        words = f"The device rejected the app: {reason}."
        return [{"code": 0, "domain": "iru", "localized_description": words, "us_english_description": words}]
