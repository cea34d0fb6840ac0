"""The attributes of a device: one row of plain data each.

The device record, the details documents, the overview page and the columns of an import are all read from FACTS.
`DeviceOut`, the form and the model are ordinary classes; tests/devices/fleet/test_facts.py shows that they name the
same attributes. A value that needs logic has a function, and the row names it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, Literal, NamedTuple

from devices.dates import spaced, zulu
from devices.models import Device, Platform
from devices.models.devices import APPLE, MACS, MOBILE

type Converter = Callable[[Any], Any]
# How an import reads the value. devices/imports has one function for each.
Parser = Literal["text", "required_text", "boolean", "moment", "serial_number", "platform"]


def unchanged(value: Any) -> Any:
    return value


def english(value: bool | None) -> str:
    """`True` or `False` as a word, which the details of Apple's families have in place of a boolean."""
    return "" if value is None else str(value)


def assigned_user(columns: tuple[Any, ...]) -> dict[str, Any] | None:
    """The user of a device as the record shows them; None if no user is assigned.

    The vendor answers "" if no user is assigned. One published client fails on "", and every client accepts null.
    """
    email, name, uuid, archived = columns
    return uuid and {"email": email, "name": name, "id": uuid, "is_archived": archived}


def user_document(user: dict[str, Any] | None) -> dict[str, Any] | None:
    """The assigned user for a details document, where every value is JSON already."""
    return user and {**user, "id": str(user["id"])}


def user_document_or_blank(user: dict[str, Any] | None) -> dict[str, Any] | str:
    return user_document(user) or ""


class DetailField(NamedTuple):
    """The place of a fact in the details documents of some device families."""

    families: Collection[str]
    section: str
    key: str
    converter: Converter = unchanged
    on_overview: bool = True
    # The device reports a value of its own here, which the fact only stands in for.
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One attribute of a device.

    `key` is its name in the device record (`GET /devices/{id}`), and `path` the ORM path of its column. A fact of
    several columns has a `join` function, which makes one value of them. `converter` writes the value for the record.
    """

    key: str
    path: str | tuple[str, ...]
    join: Converter = unchanged
    converter: Converter = unchanged
    # Extended records are those of tenants that manage Windows or Android devices.
    record: Literal["every", "extended", "none"] = "every"
    details: tuple[DetailField, ...] = ()
    # For the overview page: the name of the fact, which is not shown without one, and the value that is good news.
    label: str = ""
    good: bool | None = None
    # None: devices/imports reads the value with code of its own.
    parser: Parser | None = None
    # Further headers of the column in a CSV report, in lower case and without blanks and punctuation.
    headers: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path


ALL = frozenset(Platform)
WINDOWS = frozenset({Platform.WINDOWS})
ANDROID = frozenset({Platform.ANDROID})
TAG_NAMES = "tags__name"

# In the order of the device record. Where details have a fact twice, an import takes the first that has a value.
FACTS: tuple[Fact, ...] = (
    Fact(
        key="device_id",
        path="uuid",
        details=(DetailField(ALL, "general", "device_id", str),),
        headers=("deviceuuid", "id"),
    ),
    Fact(
        key="device_name",
        path="name",
        details=(DetailField(ALL, "general", "device_name"),),
        parser="required_text",
        headers=("name", "computername", "hostname"),
    ),
    Fact(
        key="model",
        path="model",
        details=(
            DetailField(APPLE, "general", "model"),
            DetailField(WINDOWS, "general", "device_model"),
            DetailField(ANDROID, "general", "model_name"),
        ),
        label="Model",
        parser="text",
        headers=("modelname", "devicemodel"),
    ),
    Fact(
        key="serial_number",
        path="serial_number",
        details=(
            DetailField(APPLE, "hardware_overview", "serial_number"),
            DetailField(WINDOWS, "hardware_overview", "smbios_serial_number"),
            DetailField(ANDROID, "general", "serial_number"),
        ),
        label="Serial number",
        parser="serial_number",
        headers=("serial", "serialno"),
    ),
    Fact(
        key="platform",
        path="platform",
        details=(DetailField(ALL, "general", "platform"),),
        parser="platform",
        headers=("devicetype", "devicefamily", "family"),
    ),
    Fact(
        key="os_version",
        path="os_version",
        details=(DetailField(ALL, "general", "os_version"),),
        label="Version",
        parser="text",
        headers=("osversionnumber", "operatingsystemversion", "softwareversion"),
    ),
    Fact(
        key="supplemental_build_version",
        path="supplemental_build_version",
        details=(DetailField(APPLE, "general", "supplemental_build_version"),),
        label="Build",
        parser="text",
        headers=("osbuild", "buildversion", "build"),
    ),
    Fact(
        key="supplemental_os_version_extra",
        path="supplemental_os_version_extra",
        details=(DetailField(APPLE, "general", "supplemental_os_version_extra"),),
        label="Supplemental version",
        parser="text",
    ),
    Fact(
        key="last_check_in",
        path="last_check_in",
        converter=zulu,
        details=(
            DetailField(APPLE, "kandji_agent", "last_check_in", zulu),
            DetailField(APPLE, "mdm", "last_check_in", spaced, on_overview=False, own=True),
            DetailField(WINDOWS, "kandji_agent", "last_check_in_datetime", zulu),
        ),
        label="Last check-in",
        parser="moment",
        headers=("lastcheckindate", "lastcheckintime", "lastseen"),
    ),
    Fact(
        key="user",
        path=("user__email", "user__name", "user__uuid", "user__archived"),
        join=assigned_user,
        details=(
            DetailField(APPLE, "general", "assigned_user", user_document_or_blank),
            DetailField(WINDOWS | ANDROID, "general", "assigned_user", user_document),
        ),
    ),
    Fact(
        key="asset_tag",
        path="asset_tag",
        details=(DetailField(ALL, "general", "asset_tag"),),
        label="Asset tag",
        parser="text",
        headers=("asset",),
    ),
    Fact(
        key="blueprint_id",
        path="blueprint__uuid",
        details=(DetailField(ALL, "general", "blueprint_uuid", str),),
        headers=("blueprintuuid",),
    ),
    Fact(
        key="mdm_enabled",
        path="mdm_enabled",
        details=(DetailField(APPLE, "mdm", "mdm_enabled", english),),
        label="MDM",
        good=True,
        parser="boolean",
        headers=("mdm",),
    ),
    Fact(
        key="agent_installed",
        path="agent_installed",
        details=(
            DetailField(MACS, "kandji_agent", "agent_installed", english),
            DetailField(APPLE - MACS, "kandji_agent", "agent_installed", english, on_overview=False),
            DetailField(WINDOWS, "kandji_agent", "is_agent_installed"),
        ),
        label="Agent",
        good=True,
        parser="boolean",
        headers=("agent",),
    ),
    Fact(key="is_missing", path="is_missing", parser="boolean", headers=("missing",)),
    Fact(key="is_removed", path="is_removed", parser="boolean", headers=("removed",)),
    Fact(
        key="agent_version",
        path="agent_version",
        details=(
            DetailField(MACS, "kandji_agent", "agent_version"),
            DetailField(APPLE - MACS, "kandji_agent", "agent_version", on_overview=False),
            DetailField(WINDOWS, "kandji_agent", "version"),
        ),
        label="Agent version",
        parser="text",
        headers=("kandjiagentversion", "iruagentversion"),
    ),
    Fact(
        key="first_enrollment",
        path="first_enrollment",
        converter=spaced,
        details=(DetailField(ALL, "general", "first_enrollment", spaced),),
        label="First enrolled",
        parser="moment",
        headers=("firstenrolled", "firstenrollmentdate", "enrollmentdate", "enrolledon", "dateenrolled"),
    ),
    Fact(
        key="last_enrollment",
        path="last_enrollment",
        converter=spaced,
        details=(DetailField(ALL, "general", "last_enrollment", spaced),),
        label="Last enrolled",
        parser="moment",
        headers=("lastenrolled", "lastenrollmentdate"),
    ),
    Fact(
        key="blueprint_name",
        path="blueprint__name",
        details=(DetailField(ALL, "general", "blueprint_name"),),
        headers=("blueprint",),
    ),
    Fact(key="lost_mode_status", path="lost_mode_status", parser="text", headers=("lostmode",)),
    Fact(key="tags", path=TAG_NAMES, join=sorted, headers=("tag", "devicetags")),
    Fact(
        key="api_level",
        path="api_level",
        record="extended",
        details=(DetailField(ANDROID, "general", "api_level"),),
        label="API level",
        parser="text",
    ),
    Fact(
        key="security_patch_level",
        path="security_patch_level",
        record="extended",
        details=(DetailField(ANDROID, "general", "security_patch_level"),),
        label="Security patch",
        parser="text",
    ),
    Fact(key="full_software_version", path="full_software_version", record="extended", parser="text"),
    Fact(
        key="mac_address",
        path="mac_address",
        record="none",
        details=(
            DetailField(MACS | MOBILE, "network", "mac_address"),  # an Apple TV reports no network section
            DetailField(ANDROID, "hardware", "wifi_mac_address"),
        ),
        label="MAC address",
        parser="required_text",
        headers=("mac", "wifimacaddress", "wifimac"),
    ),
    Fact(
        key="filevault_enabled",
        path="filevault_enabled",
        record="none",
        details=(
            DetailField(MACS, "filevault", "filevault_enabled"),
            DetailField(APPLE - MACS, "filevault", "filevault_enabled", on_overview=False),
        ),
        label="FileVault",
        good=True,
        parser="boolean",
        headers=("filevault", "filevaultstatus"),
    ),
)

DETAIL_FIELDS: dict[str, tuple[tuple[Fact, DetailField], ...]] = {
    platform: tuple((fact, field) for fact in FACTS for field in fact.details if platform in field.families)
    for platform in Platform
}

# The columns of all facts, those of the user last. The names of the tags come from a query of their own.
COLUMNS: tuple[str, ...] = tuple(
    sorted(
        (path for fact in FACTS for path in fact.paths if path != TAG_NAMES),
        key=lambda path: path.startswith("user__"),
    )
)
# Where each column stands in a row of all values: those of COLUMNS, then the names of the tags.
POSITIONS = {path: position for position, path in enumerate((*COLUMNS, TAG_NAMES))}
_USER_COLUMNS = [path for path in COLUMNS if path.startswith("user__")]
_of_device = attrgetter(*(path.replace("__", ".") for path in COLUMNS if path not in _USER_COLUMNS))
_of_user = attrgetter(*(path.removeprefix("user__") for path in _USER_COLUMNS))
_NO_USER = (None,) * len(_USER_COLUMNS)


def columns_of(device: Device) -> tuple[Any, ...]:
    """The values of COLUMNS of a device in memory, as a query would return them.

    Reads `device.blueprint` and `device.user`: costs queries unless both were fetched with the device.
    """
    user = device.user
    return *_of_device(device), *(_of_user(user) if user else _NO_USER)


def getter(fact: Fact) -> Callable[[Sequence[Any]], Any]:
    """Reads the column of a fact, or a tuple of its columns, from values in the order of POSITIONS."""
    return itemgetter(*(POSITIONS[path] for path in fact.paths))
