from typing import Annotated

from pydantic import Field

from devices.commands.base import AppleBody, Command, FormHint, MenuGroup
from devices.inputs import Name
from devices.models import MACS


class UnlockAccountBody(AppleBody):
    user_name: Annotated[Name, FormHint(accounts=True)] = Field(
        title="Account name", description="The short name of the account, exact."
    )


class UnlockAccount(Command[UnlockAccountBody]):
    id = "unlock_account"
    order = 240
    action = "unlockaccount"
    label = "Unlock Account"
    title = "Unlock account"
    about = "Unlock a local account of a Mac that is locked after too many wrong passwords"
    body = UnlockAccountBody
    group = MenuGroup.SECURITY
    icon = "user-check"
    consequence = "The account can sign in again at once, with its current password."
    platforms = MACS
    command_type = "UnlockUserAccount"
