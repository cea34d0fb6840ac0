from typing import Any

from devices.commands.base import CannotDeliver, Command, MenuGroup
from devices.models import MACS, DeviceCommand


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
    command_type = "InstallEnterpriseApplication"

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        raise CannotDeliver("This server has no agent to install.")
