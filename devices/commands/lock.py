import re
import secrets
from typing import Annotated, Any

from pydantic import Field

from devices.commands.base import AppleBody, Command, CommandRefused, FormHint, MenuGroup, Request, amapi, parameters_of
from devices.enrollment.enrollments import has_apple_silicon, product_name
from devices.fleet.contact import newest_contact
from devices.fleet.secrets import delete_secret, store_secret
from devices.models import MACS, MOBILE, Device, DeviceCommand, DeviceSecret, Platform

_WITHOUT_LOCK = (DeviceCommand.Status.FAILED, DeviceCommand.Status.CANCELLED)


class LockDeviceBody(AppleBody):
    """Texts that an Apple device shows on its lock screen."""

    message: Annotated[str | None, FormHint(platforms=MACS | MOBILE)] = Field(
        default=None, max_length=1000, description="The text on the lock screen, at most 1,000 characters."
    )
    phone_number: Annotated[str | None, FormHint(platforms=MACS | MOBILE)] = Field(
        default=None, max_length=100, description="A number on the lock screen, at most 100 characters."
    )


class LockDevice(Command[LockDeviceBody]):
    id = "lock_device"
    order = 110
    action = "lock"
    label = "Lock Device"
    title = "Lock"
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
    rank = 0
    already_running = "This device is already locked."
    secret_key = "PIN"  # noqa: S105 - the name of a field
    reveals_pin = True

    def check(self, device: Device) -> None:
        lock = last_lock(device)
        if lock and lock.status == DeviceCommand.Status.COMPLETED:
            raise CommandRefused(self.already_running)

    def request(self, device: Device, body: LockDeviceBody) -> Request:
        if device.platform == Platform.ANDROID:
            return amapi("LOCK")
        pin = f"{secrets.randbelow(10**6):06}" if device.platform == Platform.MAC else None
        return Request(type=self.command_type, parameters=parameters_of(body), secret=pin)

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        command = super().delivered(row, secret)
        if row.device.platform == Platform.MAC and not shows_phone_number(row.device):
            command.pop("PhoneNumber", None)
        return command

    def on_sent(self, row: DeviceCommand, request: Request) -> None:
        # The command has a copy that ends with the command. The person at the Mac needs the PIN for longer.
        if request.secret is not None:
            store_secret(device=row.device, kind=DeviceSecret.Kind.UNLOCK_PIN, value=request.secret)

    def on_failed(self, row: DeviceCommand) -> None:
        delete_secret(device=row.device, kind=DeviceSecret.Kind.UNLOCK_PIN)

    def on_cancelled(self, row: DeviceCommand) -> None:
        self.on_failed(row)


def shows_phone_number(mac: Device) -> bool:
    """Whether the lock screen of a Mac can show one: since macOS 11.5, and only with Apple silicon."""
    version = [int(part) for part in re.findall(r"\d+", mac.os_version)[:2]]
    return version >= [11, 5] and has_apple_silicon(product_name(mac))


def last_lock(device: Device) -> DeviceCommand | None:
    """The lock that waits for the device, or that a Mac is locked by. None if there is neither."""
    lock = device.commands.filter(command=LockDevice.id).exclude(status__in=_WITHOUT_LOCK).order_by("-id").first()
    if lock is None or lock.status in DeviceCommand.UNFINISHED:
        return lock
    # A locked Mac does not check in before the PIN is typed on it. Other devices are used again by their passcodes.
    if device.platform != Platform.MAC:
        return None
    last = newest_contact(device)
    return lock if last is None or last <= (lock.date_completed or lock.date_requested) else None
