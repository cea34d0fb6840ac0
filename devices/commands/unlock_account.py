from devices.commands.base import AppleBody, Command
from devices.inputs import Name
from devices.models import MACS


class UnlockAccountBody(AppleBody):
    user_name: Name


class UnlockAccount(Command[UnlockAccountBody]):
    id = "unlock_account"
    action = "unlockaccount"
    label = "Unlock Account"
    about = "Unlock a local account of a Mac that too many wrong passwords have locked"
    platforms = MACS
    command_type = "UnlockUserAccount"
    body = UnlockAccountBody
