from typing import Annotated

from pydantic import Field

from devices.commands.base import AppleBody, Command, FormHint, MenuGroup, Request, amapi, csp
from devices.models import APPLE, MACS, Device, Platform


class RestartDeviceBody(AppleBody):
    """Both fields are for Macs. A field that is left out is false."""

    rebuild_kernel_cache: Annotated[bool | None, FormHint(platforms=MACS)] = Field(
        default=None,
        title="Rebuild the kernel cache",
        description="Rebuilds it for changed kernel extensions; off if left out.",
    )
    notify_user: Annotated[bool | None, FormHint(platforms=MACS)] = Field(
        default=None,
        title="Ask the person at the Mac first",
        description="The Mac asks and waits for the answer; off if left out.",
    )


class RestartDevice(Command[RestartDeviceBody]):
    id = "restart_device"
    order = 160
    action = "restart"
    label = "Restart Device"
    title = "Restart"
    about = "Restart a device"
    body = RestartDeviceBody
    group = MenuGroup.MANAGE
    icon = "rotate-cw"
    consequence = "The device restarts as soon as it receives the command. Unsaved work is lost."
    platforms = APPLE | {Platform.WINDOWS, Platform.ANDROID}
    command_type = "RestartDevice"
    most_deliveries = 2

    def request(self, device: Device, body: RestartDeviceBody) -> Request:
        match device.platform:
            case Platform.WINDOWS:
                return csp("Reboot", "Exec", "./Device/Vendor/MSFT/Reboot/RebootNow")
            case Platform.ANDROID:
                return amapi("REBOOT")
            case Platform.MAC:
                switches = {
                    "RebuildKernelCache": bool(body.rebuild_kernel_cache),
                    "NotifyUser": bool(body.notify_user),
                }
                return Request(type=self.command_type, parameters=switches)
            case _:
                return Request(type=self.command_type)
