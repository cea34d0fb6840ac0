"""The ways in which library items reach a device: one for each type of item that needs nothing but Apple's protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from devices.declarations.support import PACKAGES, knows
from devices.inventory.information import supervision
from devices.library.desired import ipa_files, package_files
from devices.library.kinds import CUSTOM_APP, CUSTOM_PROFILE, IPA_APP, contents_of
from devices.library.profile_files import mdm_identifier
from devices.models import Device, DeviceItem, LibraryItem


def _fits(item: LibraryItem, device: Device) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How items of a type get to a device and from it.

    `install`, `remove` and `asks` are ids of commands; the answers to `asks` show what the device has. `identifier` is
    the name of the item there. `unfit` says why an item is not possible on a device; "" where it is. An item that the
    device took, and that no list shows, has failed after `patience`. It is tried again after each time of `again`, and
    then with each new version. `looks_first`: the device is asked for what it has before it is told to install. If
    `remove` is empty, a device that is not to have the item any more keeps it. `declared`: the device is told of its
    declarations, of which the item is one, and reports on it by itself. The others are the statuses of the API.
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
    declared: bool = False
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
DECLARED_PACKAGES = replace(
    CUSTOM_APPS,
    install="declarative_management",
    asks=(),
    unfit=package_files.unfit_to_declare,
    looks_first=False,
    declared=True,
)

type Ways = Mapping[str, Way]

UNFIT = "INCOMPATIBLE"
NEEDS_AGENT = package_files.NEEDS_AGENT.format("This needs")
NOT_HERE = "This server does not have the contents of the item."


def ways_of(device: Device) -> Ways:
    """The ways to this device, by the type of the item. Costs one query for a Mac from macOS 26.

    Before such a Mac says whether it is supervised, it is taken for one that is, as nearly all are.
    """
    declares = knows(device, PACKAGES) and supervision(device) is not False
    return WAYS | {DECLARED_PACKAGES.type: DECLARED_PACKAGES} if declares else WAYS


def are_certain(device: Device) -> bool:
    """Whether enough is known of the device for that. Costs as much as `ways_of`."""
    return not knows(device, PACKAGES) or supervision(device) is not None


def way_of(row: DeviceItem) -> Way | None:
    """The way by which the device got the item, or gets it now; None for an item that needs an agent."""
    return DECLARED_PACKAGES if row.declared else WAYS.get(row.type)


def planned_way_of(row: DeviceItem) -> Way:
    """The same for an item that was planned. Raises ValueError for one that needs an agent."""
    way = way_of(row)
    if way is None:
        raise ValueError(f"An item of type {row.type!r} needs an agent.")
    return way


def unfit_status(item: LibraryItem) -> str:
    """The status of an item that is not possible on a device."""
    way = WAYS.get(item.type)
    return way.unfit_status if way else UNFIT


def unfit(item: LibraryItem, device: Device, ways: Ways) -> str:
    """Why the item cannot reach the device by the ways to it; "" if it can."""
    way = ways.get(item.type)
    if way is None:
        return NEEDS_AGENT
    if contents_of(item) is None:
        return NOT_HERE
    return way.unfit(item, device) or ("" if item.version else NOT_HERE)
