import base64
import re
from typing import Annotated, Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from pydantic import Field

from access.tokens.digests import SHAPE
from devices.commands.base import (
    AppleBody,
    CannotDeliver,
    Command,
    CommandRefused,
    FormHint,
    MenuGroup,
    Request,
    amapi,
    csp,
)
from devices.enrollment.profiles import NoPushCertificate, return_profile
from devices.fleet.secrets import reveal_to_device
from devices.inputs import Listed
from devices.models import APPLE, MACS, MOBILE, CustomProfile, Device, DeviceCommand, DeviceSecret, Platform

PIN = re.compile(r"[0-9]{6}")
WIPES = {"WIPE": "doWipe", "WIPE_CLOUD": "doWipeCloud", "WIPE_PROTECTED": "doWipeProtected"}


class ReturnToService(AppleBody):
    enabled: bool = Field(title="Return to Service", description="The device enrolls again by itself.")
    profile_id: str | None = Field(
        default=None,
        max_length=255,
        title="Wi-Fi profile",
        description="Id of a Wi-Fi profile in the Blueprint of the device, for Return to Service.",
    )


class EraseDeviceBody(AppleBody):
    """`PIN` is for Macs, `erase_mode` for Windows, `erase_flags` for Android, the rest for iPhones and iPads.

    Fields of other platforms are ignored.
    """

    pin: Annotated[str | None, FormHint(platforms=MACS)] = Field(
        default=None,
        alias="PIN",
        repr=False,
        title="PIN",
        description="Six digits that Macs with an Intel processor ask for afterwards.",
    )
    preserve_data_plan: Annotated[bool | None, FormHint(platforms=MOBILE, initial=True)] = Field(
        default=None, title="Keep the eSIM", description="Keeps the eSIM; on, unless you turn it off."
    )
    disallow_proximity_setup: Annotated[bool | None, FormHint(platforms=MOBILE)] = Field(
        default=None,
        title="No set-up from a device nearby",
        description="The user then sets up the device without another device beside it.",
    )
    return_to_service: Annotated[ReturnToService | None, FormHint(platforms=MOBILE)] = Field(
        default=None, description="Lets the device enroll again by itself after it was erased."
    )
    mode: Annotated[
        Literal["WIPE", "WIPE_CLOUD", "WIPE_PROTECTED"] | None,
        FormHint(
            platforms={Platform.WINDOWS},
            choices={
                "WIPE": "Wipe",
                "WIPE_CLOUD": "Wipe, and install Windows again",
                "WIPE_PROTECTED": "Protected wipe",
            },
        ),
    ] = Field(default=None, alias="erase_mode", title="How to erase", description="Wipe if nothing is chosen.")
    flags: Annotated[
        Listed[Literal["WIPE_EXTERNAL_STORAGE", "WIPE_ESIMS"]] | None,
        FormHint(
            platforms={Platform.ANDROID},
            choices={"WIPE_EXTERNAL_STORAGE": "External storage", "WIPE_ESIMS": "eSIMs"},
        ),
    ] = Field(
        default=None,
        alias="erase_flags",
        title="Also erase",
        description="Erases this storage too, which is kept otherwise.",
    )


class EraseDevice(Command[EraseDeviceBody]):
    id = "erase_device"
    order = 90
    action = "erase"
    label = "Erase Device"
    title = "Erase"
    about = "Erase everything on a device"
    sensitive = True
    body = EraseDeviceBody
    group = MenuGroup.ERASE
    icon = "eraser"
    consequence = (
        "Everything on the device is erased, and it is not managed until it is enrolled again. "
        "This cannot be undone once the device has received the command."
    )
    dangerous = True
    confirm_by_name = True
    confirm_by_password = True
    platforms = APPLE | {Platform.WINDOWS, Platform.ANDROID}
    command_type = "EraseDevice"
    rank = 0
    secret_key = "PIN"  # noqa: S105 - the name of a field

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        command = super().delivered(row, secret)
        if asked := command.get("ReturnToService"):
            command["ReturnToService"] = _return_to_service(row, asked)
        return command

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


def _return_to_service(row: DeviceCommand, asked: dict[str, Any]) -> dict[str, Any]:
    """What an iPhone or iPad needs to come back by itself: the network, and a new enrollment profile."""
    back: dict[str, Any] = {"Enabled": True}
    if profile_id := asked.get("ProfileId"):
        profile = CustomProfile.objects.filter(item__tenant=row.device.tenant, item__uuid=profile_id).first()
        if profile is None:
            raise CannotDeliver("The Wi-Fi profile was deleted.")
        back["WiFiProfileData"] = profile.profile.encode()
    try:
        back["MDMProfileData"] = return_profile(row.device)
    except NoPushCertificate as error:
        raise CannotDeliver(" ".join(error.messages)) from None
    # Apple has the key since iOS 26, as iPhones and iPads have the token: an older one has stored none here.
    if token := reveal_to_device(device=row.device, kind=DeviceSecret.Kind.BOOTSTRAP_TOKEN):
        back["BootstrapToken"] = base64.b64decode(token)
    return back


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
            # On delivery, the content of the profile takes this place as Apple's WiFiProfileData.
            parameters["ReturnToService"] = {"Enabled": True, "ProfileId": back.profile_id}
    return parameters


def _in_scope(device: Device, profile_id: str) -> bool:
    if not SHAPE.fullmatch(profile_id):
        return False
    assigned = device.blueprint.assignments.filter(library_item__type="profile")
    return assigned.filter(library_item__uuid=UUID(profile_id)).exists()
