from devices.commands.base import AppleBody, Command, Request
from devices.models import MACS, Device


class RemoteDesktopBody(AppleBody):
    enable_remote_desktop: bool


class RemoteDesktop(Command[RemoteDesktopBody]):
    id = "remote_desktop"
    action = "remotedesktop"
    label = "Remote Desktop"
    about = "Turn Remote Management of a Mac on or off"
    platforms = MACS
    command_type = "RemoteDesktop"
    body = RemoteDesktopBody

    def request(self, device: Device, body: RemoteDesktopBody) -> Request:
        return Request(type="EnableRemoteDesktop" if body.enable_remote_desktop else "DisableRemoteDesktop")
