from typing import Annotated, Any

from pydantic import Field

from devices.commands.base import AppleBody, Command, FormHint, MenuGroup
from devices.models import MACS, DeviceCommand, Platform


class DeleteUserBody(AppleBody):
    """The account to delete, or all of them. The two switches are for a Shared iPad."""

    user_name: Annotated[str | None, FormHint(required_on=MACS, accounts=True)] = Field(
        default=None, max_length=255, title="Account name", description="The short name of the account, exact."
    )
    force_deletion: Annotated[bool | None, FormHint(platforms={Platform.IPAD})] = Field(
        default=None,
        title="Delete even if their data has not been synced",
        description="Without it, the iPad keeps a user whose data has not been synced.",
    )
    delete_all_users: Annotated[bool | None, FormHint(platforms={Platform.IPAD})] = Field(
        default=None,
        title="Delete all users of this iPad",
        description="Deletes all users; the account name is then ignored.",
    )


class DeleteUser(Command[DeleteUserBody]):
    id = "delete_user_on_device"
    order = 80
    action = "deleteuser"
    label = "Delete User"
    title = "Delete user"
    about = "Delete a local account from a Mac, or a user from a Shared iPad"
    sensitive = True
    body = DeleteUserBody
    group = MenuGroup.ERASE
    icon = "user-x"
    consequence = "The account and all files in its home folder are deleted. This cannot be undone."
    consequence_by_platform = {
        Platform.IPAD: "The user and their data on this iPad are deleted. Data that has not been synced is lost.",
    }
    dangerous = True
    confirm_by_name = True
    platforms = MACS | {Platform.IPAD}
    command_type = "DeleteUser"

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        command = super().delivered(row, secret)
        if row.device.platform in MACS:  # the two switches are an iPad's, and a Mac refuses them
            return {key: command[key] for key in ("RequestType", "UserName") if key in command}
        return command
