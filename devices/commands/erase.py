import re
from typing import Annotated, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from pydantic import Field, StringConstraints

from access.tokens.digests import SHAPE
from devices.commands.base import AppleBody, Command, CommandRefused, Request, amapi, csp
from devices.inputs import Listed
from devices.models import APPLE, MOBILE, Device, Platform

PIN = re.compile(r"[0-9]{6}")
WIPES = {"WIPE": "doWipe", "WIPE_CLOUD": "doWipeCloud", "WIPE_PROTECTED": "doWipeProtected"}


class ReturnToService(AppleBody):
    enabled: bool
    profile_id: Annotated[str, StringConstraints(max_length=255)] | None = None


class EraseDeviceBody(AppleBody):
    """What a family does not know is ignored: `PIN` is for Macs, `erase_mode` for Windows, `erase_flags` for Android,
    the rest for iPhones and iPads."""

    pin: str | None = Field(default=None, alias="PIN", repr=False)
    preserve_data_plan: bool | None = None
    disallow_proximity_setup: bool | None = None
    return_to_service: ReturnToService | None = None
    mode: Literal["WIPE", "WIPE_CLOUD", "WIPE_PROTECTED"] | None = Field(default=None, alias="erase_mode")
    flags: Listed[Literal["WIPE_EXTERNAL_STORAGE", "WIPE_ESIMS"]] | None = Field(default=None, alias="erase_flags")


class EraseDevice(Command[EraseDeviceBody]):
    id = "erase_device"
    action = "erase"
    label = "Erase Device"
    about = "Erase everything on a device"
    platforms = APPLE | {Platform.WINDOWS, Platform.ANDROID}
    command_type = "EraseDevice"
    body = EraseDeviceBody
    sensitive = True
    secret_key = "PIN"  # noqa: S105 - the name of a field

    def request(self, device: Device, body: EraseDeviceBody) -> Request:
        match device.platform:
            case Platform.WINDOWS:
                return csp("RemoteWipe", "Exec", f"./Device/Vendor/MSFT/RemoteWipe/{WIPES[body.mode or 'WIPE']}")
            case Platform.ANDROID:
                return amapi("WIPE", wipeParams={"wipeDataFlags": body.flags} if body.flags else None)
            case Platform.MAC:
                if body.pin is not None and not PIN.fullmatch(body.pin):
                    raise ValidationError({"PIN": "Enter six digits."})
                return Request(type=self.command_type, secret=body.pin)
            case platform if platform in MOBILE:
                return Request(type=self.command_type, parameters=_mobile(device, body))
            case _:
                return Request(type=self.command_type)


def _mobile(device: Device, body: EraseDeviceBody) -> dict[str, object]:
    parameters: dict[str, object] = {
        "PreserveDataPlan": body.preserve_data_plan is not False,
        "DisallowProximitySetup": bool(body.disallow_proximity_setup),
    }
    if (back := body.return_to_service) and back.enabled:
        parameters["ReturnToService"] = {"Enabled": True}
        if back.profile_id:
            if not _in_scope(device, back.profile_id):
                raise CommandRefused("The specified profile is not in scope for the device")
            # Its content takes this place, as Apple's WiFiProfileData, when the command is delivered.
            parameters["ReturnToService"] = {"Enabled": True, "ProfileId": back.profile_id}
    return parameters


def _in_scope(device: Device, profile_id: str) -> bool:
    if not SHAPE.fullmatch(profile_id):
        return False
    assigned = device.blueprint.assignments.filter(library_item__type="profile")
    return assigned.filter(library_item__uuid=UUID(profile_id)).exists()
