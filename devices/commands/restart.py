from devices.commands.base import AppleBody, Command, Request, amapi, csp
from devices.models import APPLE, Device, Platform


class RestartDeviceBody(AppleBody):
    """Both are for Macs, and false unless given."""

    rebuild_kernel_cache: bool | None = None
    notify_user: bool | None = None


class RestartDevice(Command[RestartDeviceBody]):
    id = "restart_device"
    action = "restart"
    label = "Restart Device"
    about = "Restart a device"
    platforms = APPLE | {Platform.WINDOWS, Platform.ANDROID}
    command_type = "RestartDevice"
    body = RestartDeviceBody

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
