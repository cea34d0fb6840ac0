from pydantic import Field

from devices.commands.base import AppleBody, Command, MenuGroup, Request
from devices.models import MACS, Device, DeviceCommand

ENABLE = "EnableRemoteDesktop"


class RemoteDesktopBody(AppleBody):
    enable_remote_desktop: bool = Field(title="Remote Desktop", description="Turns Remote Desktop on or off.")


class RemoteDesktop(Command[RemoteDesktopBody]):
    id = "remote_desktop"
    order = 140
    action = "remotedesktop"
    label = "Remote Desktop"
    title = "Turn Remote Desktop on or off"
    switch = "Remote Desktop"
    about = "Turn Remote Management of a Mac on or off"
    body = RemoteDesktopBody
    group = MenuGroup.SETTINGS
    icon = "screen-share"
    consequence = (
        "Remote Management is turned on or off. "
        "While it is on, people with rights on this Mac can see and control its screen."
    )
    platforms = MACS
    command_type = "RemoteDesktop"

    def request(self, device: Device, body: RemoteDesktopBody) -> Request:
        return Request(type=ENABLE if body.enable_remote_desktop else "DisableRemoteDesktop")

    def parameters_in_words(self, row: DeviceCommand) -> list[tuple[str, str]]:
        return [("Remote Desktop", "On" if row.request_type == ENABLE else "Off")]
