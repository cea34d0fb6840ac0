import secrets
from typing import Annotated

from pydantic import StringConstraints

from devices.commands.base import AppleBody, Command, CommandRefused, Request, amapi, given
from devices.fleet.secrets import delete_secret, store_secret
from devices.models import MACS, MOBILE, Device, DeviceCommand, DeviceSecret, Platform


class LockDeviceBody(AppleBody):
    """What an Apple device shows on its lock screen."""

    message: Annotated[str, StringConstraints(max_length=1000)] | None = None
    phone_number: Annotated[str, StringConstraints(max_length=100)] | None = None


class LockDevice(Command[LockDeviceBody]):
    id = "lock_device"
    action = "lock"
    label = "Lock Device"
    about = "Lock a device. For a Mac a PIN of six digits is made, which unlocks it"
    platforms = MACS | MOBILE | {Platform.ANDROID}
    command_type = "DeviceLock"
    body = LockDeviceBody
    sensitive = True
    already_running = "This device is already locked."
    secret_key = "PIN"  # noqa: S105 - the name of a field
    tells_pin = True

    def check(self, device: Device) -> None:
        if device.platform != Platform.MAC:
            return
        done = device.commands.filter(command=self.id, status=DeviceCommand.Status.COMPLETED)
        locked_at = done.order_by("-id").values_list("date_completed", flat=True).first()
        # A locked Mac stays away until somebody types the PIN into it.
        if locked_at and (device.last_check_in is None or device.last_check_in <= locked_at):
            raise CommandRefused(self.already_running)

    def request(self, device: Device, body: LockDeviceBody) -> Request:
        if device.platform == Platform.ANDROID:
            return amapi("LOCK")
        pin = f"{secrets.randbelow(10**6):06}" if device.platform == Platform.MAC else None
        return Request(type=self.command_type, parameters=given(body), secret=pin)

    def sent(self, row: DeviceCommand, request: Request) -> None:
        # Beside the command's own copy, which ends with the command: whoever has the Mac in hand needs it for longer.
        if request.secret is not None:
            store_secret(device=row.device, kind=DeviceSecret.Kind.UNLOCK_PIN, value=request.secret)

    def failed(self, row: DeviceCommand) -> None:
        delete_secret(device=row.device, kind=DeviceSecret.Kind.UNLOCK_PIN)
