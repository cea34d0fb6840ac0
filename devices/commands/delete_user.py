from typing import Annotated

from pydantic import StringConstraints

from devices.commands.base import AppleBody, Command
from devices.models import MACS, Platform


class DeleteUserBody(AppleBody):
    """The account to delete, or all of them. Only a Shared iPad knows the two switches."""

    user_name: Annotated[str, StringConstraints(max_length=255)] | None = None
    force_deletion: bool | None = None
    delete_all_users: bool | None = None


class DeleteUser(Command[DeleteUserBody]):
    id = "delete_user_on_device"
    action = "deleteuser"
    label = "Delete User"
    about = "Delete a local account from a Mac, or a user from a Shared iPad"
    platforms = MACS | {Platform.IPAD}
    command_type = "DeleteUser"
    body = DeleteUserBody
    sensitive = True
