from devices.commands.base import Command, MenuGroup
from devices.models import APPLE


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
