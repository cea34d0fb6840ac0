from devices.commands.base import MACS, AppleBody, Command
from devices.schemas import Name


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
