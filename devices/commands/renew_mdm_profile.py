from devices.commands.base import Command
from devices.models import APPLE


class RenewMdmProfile(Command[None]):
    id = "renew_mdm_profile"
    action = "renewmdmprofile"
    label = "Renew MDM Profile"
    about = "Install the enrolment profile of an Apple device once more, with a new certificate"
    platforms = APPLE
    # The profile is made and signed when it is delivered.
    command_type = "InstallProfile"
