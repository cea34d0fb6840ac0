import secrets
from typing import Annotated

from pydantic import Field

from devices.commands.base import AppleBody, Command, CommandRefused, FormHint, MenuGroup, Request, amapi, parameters_of
from devices.fleet.secrets import delete_secret, store_secret
from devices.models import MACS, MOBILE, Device, DeviceCommand, DeviceSecret, Platform


class LockDeviceBody(AppleBody):
    """Texts that an Apple device shows on its lock screen."""

    message: Annotated[str | None, FormHint(platforms=MACS | MOBILE)] = Field(default=None, max_length=1000)
    phone_number: Annotated[str | None, FormHint(platforms=MACS | MOBILE)] = Field(default=None, max_length=100)


class LockDevice(Command[LockDeviceBody]):
    id = "lock_device"
    order = 110
    action = "lock"
    label = "Lock Device"
    about = "Lock a device. A Mac gets a six-digit PIN that unlocks it"
    sensitive = True
    body = LockDeviceBody
    group = MenuGroup.SECURITY
    icon = "lock"
    consequence = "The screen locks at once. The passcode of the device unlocks it."
    consequence_by_platform = {
        Platform.MAC: "The Mac restarts and stays locked until a six-digit PIN is typed on it. Unsaved work on the Mac "
        "is lost.",
    }
    dangerous = True
    platforms = MACS | MOBILE | {Platform.ANDROID}
    command_type = "DeviceLock"
    already_running = "This device is already locked."
    secret_key = "PIN"  # noqa: S105 - the name of a field
    reveals_pin = True

    def check(self, device: Device) -> None:
        if device.platform != Platform.MAC:
            return
        locks = device.commands.filter(command=self.id, status=DeviceCommand.Status.COMPLETED)
        locked_at = locks.order_by("-id").values_list("date_completed", flat=True).first()
        # A locked Mac does not check in before the PIN is typed on it.
        if locked_at and (device.last_check_in is None or device.last_check_in <= locked_at):
            raise CommandRefused(self.already_running)

    def request(self, device: Device, body: LockDeviceBody) -> Request:
        if device.platform == Platform.ANDROID:
            return amapi("LOCK")
        pin = f"{secrets.randbelow(10**6):06}" if device.platform == Platform.MAC else None
        return Request(type=self.command_type, parameters=parameters_of(body), secret=pin)

    def on_sent(self, row: DeviceCommand, request: Request) -> None:
        # The command has a copy that ends with the command. The person at the Mac needs the PIN for longer.
        if request.secret is not None:
            store_secret(device=row.device, kind=DeviceSecret.Kind.UNLOCK_PIN, value=request.secret)

    def on_failed(self, row: DeviceCommand) -> None:
        delete_secret(device=row.device, kind=DeviceSecret.Kind.UNLOCK_PIN)
