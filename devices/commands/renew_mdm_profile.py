from typing import Any

from devices.commands.base import CannotDeliver, Command, MenuGroup
from devices.enrollment.profiles import NoPushCertificate, renewal_profile
from devices.models import APPLE, DeviceCommand


class RenewMdmProfile(Command[None]):
    id = "renew_mdm_profile"
    order = 150
    action = "renewmdmprofile"
    label = "Renew MDM Profile"
    title = "Renew MDM profile"
    about = "Install the enrollment profile of an Apple device again, with a new certificate"
    group = MenuGroup.MANAGE
    icon = "refresh-cw"
    consequence = "The device gets its enrollment profile again, with a new certificate. It stays enrolled."
    platforms = APPLE
    # The profile is made and signed on delivery.
    command_type = "InstallProfile"

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        try:
            return super().delivered(row, secret) | {"Payload": renewal_profile(row.device)}
        except (NoPushCertificate, ValueError) as error:
            raise CannotDeliver(" ".join(getattr(error, "messages", [str(error)]))) from None
