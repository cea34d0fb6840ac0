import re
from dataclasses import replace
from typing import Annotated, Literal

from django.core.exceptions import ValidationError
from pydantic import Field, StringConstraints

from devices.commands.base import Command, FormHint, MenuGroup, Request, amapi
from devices.inputs import Body, Listed
from devices.models import Device, Platform

SHORTEST = 4
SHORTEST_FROM_ANDROID_14 = 6


class ResetWorkProfilePasscodeBody(Body):
    """Without `newPassword` the passcode is removed."""

    # Spaces at both ends are part of a passcode.
    new_password: Annotated[str, StringConstraints(strip_whitespace=False, max_length=255)] | None = Field(
        default=None,
        alias="newPassword",
        repr=False,
        title="New passcode",
        description="Leave it empty to remove the passcode.",
    )
    flags: Annotated[
        Listed[Literal["LOCK_NOW"]] | None,
        FormHint(choices={"LOCK_NOW": "Lock the device"}),
    ] = Field(default=None, alias="resetPasswordFlags", title="And then", description="Locks the device at once.")


class ResetWorkProfilePasscode(Command[ResetWorkProfilePasscodeBody]):
    id = "reset_work_profile_passcode"
    order = 60
    action = "resetworkprofilepasscode"
    label = "Reset Work Profile Passcode"
    title = "Reset work profile passcode"
    about = "Replace or remove the passcode of an Android device's work profile"
    sensitive = True
    body = ResetWorkProfilePasscodeBody
    group = MenuGroup.SECURITY
    icon = "key-round"
    consequence = "The passcode of the work profile is replaced or removed. The current passcode stops working."
    dangerous = True
    platforms = frozenset({Platform.ANDROID})
    command_type = "ResetWorkProfilePasscode"
    secret_key = "newPassword"  # noqa: S105 - the name of a field

    def request(self, device: Device, body: ResetWorkProfilePasscodeBody) -> Request:
        shortest = SHORTEST_FROM_ANDROID_14 if _android_version(device) >= 14 else SHORTEST
        if body.new_password is not None and len(body.new_password) < shortest:
            raise ValidationError({"newPassword": f"Ensure this field has at least {shortest} characters."})
        return replace(amapi("RESET_PASSWORD", resetPasswordFlags=body.flags), secret=body.new_password)


def _android_version(device: Device) -> int:
    match = re.match(r"\d{1,4}", device.os_version)
    return int(match[0]) if match else 0
