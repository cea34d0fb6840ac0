from devices.commands.base import Command, MenuGroup
from devices.models import MACS


class ReinstallAgent(Command[None]):
    id = "reinstall_agent"
    order = 130
    action = "reinstallagent"
    label = "Install Iru Agent"
    title = "Install agent again"
    about = "Install the agent on a Mac again"
    group = MenuGroup.MANAGE
    icon = "package-plus"
    consequence = "The agent is downloaded and replaces the installed one. No data is lost."
    platforms = MACS
    # The address of the manifest is added on delivery.
    command_type = "InstallEnterpriseApplication"
