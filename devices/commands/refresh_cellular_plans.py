from pydantic import Field

from devices.commands.base import Command, MenuGroup
from devices.inputs import Body
from devices.models import MOBILE


class RefreshCellularPlansBody(Body):
    server_url: str = Field(
        alias="eSIMServerURL",
        min_length=1,
        max_length=2000,
        title="eSIM server URL",
        description="Your carrier gives you this address.",
    )


class RefreshCellularPlans(Command[RefreshCellularPlansBody]):
    id = "refresh_cellular_plans"
    order = 120
    action = "refreshcellularplans"
    label = "Refresh eSIM"
    title = "Refresh eSIM"
    about = "Let an iPhone or iPad ask its carrier's server for eSIM plans"
    body = RefreshCellularPlansBody
    group = MenuGroup.SETTINGS
    icon = "card-sim"
    consequence = "The device asks the carrier's server for eSIM plans and installs them."
    platforms = MOBILE
    command_type = "RefreshCellularPlans"
