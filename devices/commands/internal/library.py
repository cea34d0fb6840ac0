"""The commands by which library items get to a device and from it. A list of the device is the proof, never an answer.

The subject of such a command is the item.
"""

from collections.abc import Callable, Collection
from typing import Any

from devices.commands.base import CannotDeliver, Superfluous
from devices.commands.internal import InternalCommand
from devices.enrollment.enrollments import enrollment_of
from devices.library.desired import evidence, links
from devices.library.desired.ways import WAYS
from devices.models import DeviceCommand, DeviceItem, LibraryItem, Order


class LibraryInstall(InternalCommand, abstract=True):
    """Installs an item as it is when the device fetches the command.

    `content` returns the parameters of the request. It raises CannotDeliver, and SecretUnreadable.
    """

    rank = 2
    content: Callable[[DeviceCommand, LibraryItem], dict[str, Any]]

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        wanted = evidence.to_install(row.device, row.subject)
        if wanted is None or wanted.item is None:
            raise Superfluous
        return {"RequestType": row.request_type, **self.content(row, wanted.item)}

    def on_completed(self, row: DeviceCommand) -> None:
        evidence.taken(row.device, row.subject, installed=True)

    def on_failed(self, row: DeviceCommand) -> None:
        evidence.refused(row.device, row.subject, row.error_chain, installing=True)

    def followed_by(self, row: DeviceCommand) -> Collection[Order]:
        return _proof(self)


def manifest_url(row: DeviceCommand, item: LibraryItem) -> str:
    """The link by which the device fetches the manifest of an item. Raises CannotDeliver."""
    enrollment = enrollment_of(row.device)
    if enrollment is None:
        raise CannotDeliver("The device is not enrolled.")
    return links.manifest_url(row.device.tenant, enrollment.pk, item)


class LibraryRemoval(InternalCommand, abstract=True):
    """Removes an item that the Library does not give the device any more."""

    rank = 2

    def content(self, row: DeviceCommand, unwanted: DeviceItem) -> dict[str, Any]:
        """The parameters of the request."""
        return {"Identifier": unwanted.identifier}

    def delivered(self, row: DeviceCommand, secret: str | None) -> dict[str, Any]:
        unwanted = evidence.to_remove(row.device, row.subject)
        if unwanted is None:
            raise Superfluous
        return {"RequestType": row.request_type, **self.content(row, unwanted)}

    def on_completed(self, row: DeviceCommand) -> None:
        evidence.taken(row.device, row.subject, installed=False)

    def on_failed(self, row: DeviceCommand) -> None:
        evidence.refused(row.device, row.subject, row.error_chain, installing=False)

    def followed_by(self, row: DeviceCommand) -> Collection[Order]:
        return _proof(self)

    def followed_on_failure(self, row: DeviceCommand) -> Collection[Order]:
        # Most often because a person removed it before. The list says so.
        return _proof(self)


def _proof(command: InternalCommand) -> list[Order]:
    """The questions whose answers show what the command did."""
    return [
        Order(question) for way in WAYS.values() if command.id in {way.install, way.remove} for question in way.asks
    ]
