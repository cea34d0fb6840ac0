from devices.commands.base import Command
from devices.models import MACS


class ReinstallAgent(Command[None]):
    id = "reinstall_agent"
    action = "reinstallagent"
    label = "Install Kandji Agent"
    about = "Install the agent on a Mac once more"
    platforms = MACS
    # Where its manifest lies is added when it is delivered.
    command_type = "InstallEnterpriseApplication"
