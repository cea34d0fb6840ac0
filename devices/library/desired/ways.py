"""The ways in which library items reach a device: one for each type of item that needs nothing but Apple's protocol."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from devices.library.desired import ipa_files, package_files
from devices.library.kinds import CUSTOM_APP, CUSTOM_PROFILE, IPA_APP, contents_of
from devices.library.profile_files import mdm_identifier
from devices.models import Device, LibraryItem


def _fits(item: LibraryItem, device: Device) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How items of a type get to a device and from it.

    `install`, `remove` and `asks` are ids of commands; the answers to `asks` show what the device has. `identifier` is
    the name of the item there. `unfit` says why an item is not possible on a device; "" where it is. An item that the
    device took, and that no list shows, has failed after `patience`. It is tried again after each time of `again`, and
    then with each new version. `looks_first`: the device is asked for what it has before it is told to install. If
    `remove` is empty, a device that is not to have the item any more keeps it. The others are the statuses of the API.
    """

    type: str
    install: str
    remove: str
    asks: tuple[str, ...]
    identifier: Callable[[LibraryItem], str]
    unfit: Callable[[LibraryItem, Device], str] = field(default=_fits)
    patience: timedelta = timedelta(0)
    again: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
    looks_first: bool = False
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
    asks=("profile_list",),
    identifier=mdm_identifier,
    pending="pending",
    changing="pending",
    sent="pending",
    done="success",
    failed="failed",
    unfit_status="failed",  # profiles have three words in the API
)
IPA_APPS = Way(
    type=IPA_APP.type,
    install="install_application",
    remove="remove_application",
    asks=("managed_applications",),
    identifier=ipa_files.identifier,
    unfit=ipa_files.unfit,
    patience=timedelta(hours=4),  # the device fetches the app when it likes, and may wait for its user
)
CUSTOM_APPS = Way(
    type=CUSTOM_APP.type,
    install="install_enterprise_application",
    remove="",
    asks=("installed_applications",),
    identifier=package_files.identifier,
    unfit=package_files.unfit,
    patience=timedelta(hours=4),
    again=(timedelta(hours=24),),  # a package may do a lot each time
    looks_first=True,  # an app that has updated itself would be replaced by the older one in the package
)
WAYS = {way.type: way for way in (PROFILES, IPA_APPS, CUSTOM_APPS)}

UNFIT = "INCOMPATIBLE"
NEEDS_AGENT = package_files.NEEDS_AGENT.format("This needs")
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
    if contents_of(item) is None:
        return NOT_HERE
    return way.unfit(item, device) or ("" if item.version else NOT_HERE)
