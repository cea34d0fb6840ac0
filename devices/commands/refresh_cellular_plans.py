from typing import Annotated

from pydantic import Field, StringConstraints

from devices.commands.base import Command
from devices.inputs import Body
from devices.models import MOBILE


class RefreshCellularPlansBody(Body):
    server_url: Annotated[str, StringConstraints(min_length=1, max_length=2000)] = Field(alias="eSIMServerURL")


class RefreshCellularPlans(Command[RefreshCellularPlansBody]):
    id = "refresh_cellular_plans"
    action = "refreshcellularplans"
    label = "Refresh eSIM"
    about = "Have an iPhone or iPad ask its carrier's server for eSIM plans"
    platforms = MOBILE
    command_type = "RefreshCellularPlans"
    body = RefreshCellularPlansBody
