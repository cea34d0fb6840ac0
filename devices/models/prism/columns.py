"""The classes of Prism's categories and columns. The categories themselves are in `categories`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

# `unseen` is a value of unknown type: the public API has only ever shown null.
type Kind = Literal["text", "boolean", "integer", "number", "date", "uuid", "json", "unseen"]
# The place of a column's value: the device, to which a row only refers; the device's report of this category; the row
# itself; its content, which rows with the same values share; or nowhere, which means that it is always null.
type Place = Literal["device", "report", "row", "content", "nowhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A key of a category's rows. `path` is the ORM path of its field from the model of its place."""

    key: str
    kind: Kind
    null: bool = False
    place: Place = "content"
    path: str = ""
    # The field is an empty text if there is no value, and the row shows null.
    blank_is_null: bool = False
    # The reverse: the field is null, and the row shows an empty text.
    null_is_blank: bool = False
    filtered: bool = True

    @property
    def field(self) -> str:
        """The ORM path of its field from a row."""
        path = self.path or self.key
        match self.place:
            case "device":
                return f"report__device__{path}"
            case "report":
                return f"report__{path}"
            case "content" if self.kind == "unseen":
                return f"content__extra__{path}"
            case "content":
                return f"content__{path}"
        return path

    @property
    def label(self) -> str:
        return _label(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category. `name` is its name in the public API, and `table` the shorter name of its tables.

    `natural_key` names the columns that match the rows of a new report with those of the last one; it is empty if each
    device has one row. With `any_of`, the first column that is not empty is enough. `charts` names the columns whose
    values the page counts.
    """

    name: str
    label: str
    table: str
    about: str
    families: frozenset[str]
    natural_key: tuple[str, ...]
    own: tuple[Column, ...]
    charts: tuple[str, ...]
    shown: tuple[str, ...]
    any_of: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """All keys of a row, in the order of the public API."""
        return (*COMMON, *self.own)

    def stored(self, place: Place) -> tuple[Column, ...]:
        """The columns that have a field in the category's own tables."""
        return tuple(column for column in self.own if column.place == place and column.kind != "unseen")


def columns(kind: Kind, names: str, *, null: bool = False, place: Place = "content") -> Iterator[Column]:
    """The columns with these names, which are separated by blanks."""
    yield from (Column(key=name, kind=kind, null=null, place=place) for name in names.split())


def texts(names: str, *, null: bool = False, place: Place = "content") -> Iterator[Column]:
    return columns("text", names, null=null, place=place)


def flags(names: str, *, null: bool = False) -> Iterator[Column]:
    return columns("boolean", names, null=null)


def integers(names: str, *, null: bool = False) -> Iterator[Column]:
    return columns("integer", names, null=null)


def unseen(names: str) -> Iterator[Column]:
    return columns("unseen", names, null=True)


def of_device(key: str, kind: Kind, path: str, *, null: bool = False, blank_is_null: bool = False) -> Column:
    return Column(key=key, kind=kind, null=null, place="device", path=path, blank_is_null=blank_is_null)


_LABELS = {
    "device__name": "Device",
    "device__family": "Family",
    "device__user_id": "User ID",
    "device__user_name": "User",
    "device__user_email": "User e-mail",
    "blueprint_name": "Blueprint",
    "mdm_enabled": "MDM",
    "sip": "System Integrity Protection",
    "ssv": "Signed System Volume",
}
# The words of a label that are written in another way than a key writes them.
_SPELLINGS = {
    "albc": "ALBC",
    "bst": "BST",
    "checkin": "check-in",
    "eid": "EID",
    "filevault": "FileVault",
    "iccid": "ICCID",
    "id": "ID",
    "imei": "IMEI",
    "ipad": "iPad",
    "mcc": "MCC",
    "mdm": "MDM",
    "meid": "MEID",
    "mnc": "MNC",
    "os": "OS",
    "pid": "PID",
    "uid": "UID",
    "uuid": "UUID",
    "vpp": "VPP",
    "xprotect": "XProtect",
}


@cache  # a page of rows asks for it in each cell
def _label(key: str) -> str:
    if key in _LABELS:
        return _LABELS[key]
    words = key.replace("_", " ").capitalize().split()
    return " ".join(_SPELLINGS.get(word.lower(), word) for word in words)


COMMON = (
    of_device("device_id", "uuid", "uuid"),
    of_device("device__name", "text", "name"),
    # The public API has parameters for the family and the Blueprint, so a filter cannot name them.
    Column(key="device__family", kind="text", place="device", path="platform", filtered=False),
    Column(key="device__user_id", kind="text", place="device", path="user__deprecated_user_id", null_is_blank=True),
    of_device("device__user_name", "text", "user__name", null=True),
    of_device("device__user_email", "text", "user__email", null=True),
    Column(key="blueprint_id", kind="uuid", place="device", path="blueprint__uuid", filtered=False),
    of_device("blueprint_name", "text", "blueprint__name"),
    Column(key="tags", kind="unseen", null=True, place="nowhere"),
    of_device("asset_tag", "text", "asset_tag"),
    of_device("serial_number", "text", "serial_number"),
    Column(key="model_id", kind="text", null=True, place="nowhere"),
    Column(key="count", kind="unseen", null=True, place="nowhere"),
    Column(key="created_at", kind="date", place="row"),
    Column(key="updated_at", kind="date", place="row"),
    Column(key="last_changed_at", kind="date", null=True, place="row", path="updated_at"),
    Column(key="last_collected_at", kind="date", place="report", path="collected_at"),
)
