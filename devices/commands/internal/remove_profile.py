from collections.abc import Collection
from typing import Any

from devices.commands.base import Superfluous
from devices.commands.internal import InternalCommand
from devices.commands.internal.profile_list import ProfileList
from devices.library.desired import evidence
from devices.models import APPLE, DeviceCommand, Order


class RemoveProfile(InternalCommand):
    """Removes a profile that the Library does not give the device any more."""

    id = "remove_profile"
    title = "Remove a profile"
    platforms = APPLE
    command_type = "RemoveProfile"
    rank = 2

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        unwanted = evidence.to_remove(row.device, row.subject)
        if unwanted is None:
            raise Superfluous
        return {"RequestType": row.request_type, "Identifier": unwanted.identifier}

    def on_completed(self, row: DeviceCommand) -> None:
        evidence.taken(row.device, row.subject, installed=False)

    def on_failed(self, row: DeviceCommand) -> None:
        evidence.refused(row.device, row.subject, row.error_chain, installing=False)

    def followed_by(self, row: DeviceCommand) -> Collection[Order]:
        return [Order(ProfileList.id)]

    def followed_on_failure(self, row: DeviceCommand) -> Collection[Order]:
        # Most often because a person removed it before. The list says so.
        return [Order(ProfileList.id)]
