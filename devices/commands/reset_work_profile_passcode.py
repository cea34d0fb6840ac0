import re
from typing import Annotated, Literal

from django.core.exceptions import ValidationError
from pydantic import Field, StringConstraints

from devices.commands.base import Command, Request, amapi
from devices.inputs import Body, Listed
from devices.models import Device, Platform

SHORTEST = 4
SHORTEST_FROM_ANDROID_14 = 6


class ResetWorkProfilePasscodeBody(Body):
    """Without `newPassword` the passcode is removed."""

    # Blanks at its ends are part of a passcode.
    new_password: Annotated[str, StringConstraints(strip_whitespace=False, max_length=255)] | None = Field(
        default=None, alias="newPassword", repr=False
    )
    flags: Listed[Literal["LOCK_NOW"]] | None = Field(default=None, alias="resetPasswordFlags")


class ResetWorkProfilePasscode(Command[ResetWorkProfilePasscodeBody]):
    id = "reset_work_profile_passcode"
    action = "resetworkprofilepasscode"
    label = "Reset Work Profile Passcode"
    about = "Replace or remove the passcode of an Android device's work profile"
    platforms = frozenset({Platform.ANDROID})
    command_type = "ResetWorkProfilePasscode"
    body = ResetWorkProfilePasscodeBody
    sensitive = True
    secret_key = "newPassword"  # noqa: S105 - the name of a field

    def request(self, device: Device, body: ResetWorkProfilePasscodeBody) -> Request:
        shortest = SHORTEST_FROM_ANDROID_14 if _android_version(device) >= 14 else SHORTEST
        if body.new_password is not None and len(body.new_password) < shortest:
            raise ValidationError({"newPassword": f"Ensure this field has at least {shortest} characters."})
        sent = amapi("RESET_PASSWORD", resetPasswordFlags=body.flags)
        return Request(type=sent.type, parameters=sent.parameters, secret=body.new_password)


def _android_version(device: Device) -> int:
    found = re.match(r"\d{1,4}", device.os_version)
    return int(found[0]) if found else 0
