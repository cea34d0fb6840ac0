"""The ways in which library items reach a device: one for each type of item that needs nothing but Apple's protocol."""

from collections.abc import Callable
from dataclasses import dataclass, field

from devices.library.kinds import CUSTOM_PROFILE
from devices.library.profile_files import mdm_identifier
from devices.models import Device, LibraryItem


def _fits(item: LibraryItem, device: Device) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How items of a type get to a device and from it.

    `install`, `remove` and `ask` are ids of commands; `ask` has the answer that shows what the device has. `identifier`
    is the name of the item there. `unfit` says why an item is not possible on a device; "" where it is. The others are
    the statuses of the API.
    """

    type: str
    install: str
    remove: str
    ask: str
    identifier: Callable[[LibraryItem], str]
    unfit: Callable[[LibraryItem, Device], str] = field(default=_fits)
    pending: str = "PENDING"
    changing: str = "CHANGE_PENDING"
    sent: str = "INSTALLING"
    done: str = "PASS"
    failed: str = "ERROR"
    unfit_status: str = "INCOMPATIBLE"


PROFILES = Way(
    type=CUSTOM_PROFILE.type,
    install="install_profile",
    remove="remove_profile",
    ask="profile_list",
    identifier=mdm_identifier,
    pending="pending",
    changing="pending",
    sent="pending",
    done="success",
    failed="failed",
    unfit_status="failed",  # profiles have three words in the API
)
WAYS = {way.type: way for way in (PROFILES,)}

UNFIT = "INCOMPATIBLE"
NEEDS_AGENT = "This needs an agent on the Mac, which this server does not have."
NOT_HERE = "This server does not have the contents of the item."


def unfit_status(item: LibraryItem) -> str:
    """The status of an item that is not possible on a device."""
    way = WAYS.get(item.type)
    return way.unfit_status if way else UNFIT


def unfit(item: LibraryItem, device: Device) -> str:
    """Why the item cannot reach the device; "" if it can."""
    way = WAYS.get(item.type)
    if way is None:
        return NEEDS_AGENT
    if not item.version:
        return NOT_HERE
    return way.unfit(item, device)
