from typing import Any

from devices.commands.internal import InternalCommand
from devices.commands.internal.security_info import SecurityInfo
from devices.enrollment.escrow import escrow_profile
from devices.models import MACS, DeviceCommand, Order


class EscrowProfile(InternalCommand):
    """Gives a Mac the certificate for its FileVault recovery key. It follows a list of profiles that lacks it."""

    id = "escrow_profile"
    title = "Install the profile for FileVault recovery keys"
    platforms = MACS
    command_type = "InstallProfile"
    rank = 2

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        return {"RequestType": row.request_type, "Payload": escrow_profile(row.device.tenant)}

    def followed_by(self, row: DeviceCommand) -> list[Order]:
        return [Order(SecurityInfo.id)]
