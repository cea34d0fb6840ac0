"""Prints a call for each filter and ordering of the device list, made from the parameters that it declares."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from tests.benchmarks.inside import answer, start

if TYPE_CHECKING:
    from access.models import Tenant

# Where the devices have the values of each filter.
COLUMNS = {
    "asset_tag": "asset_tag",
    "blueprint_id": "blueprint__uuid",
    "device_id": "uuid",
    "device_name": "name",
    "filevault_enabled": "filevault_enabled",
    "mac_address": "mac_address",
    "model": "model",
    "os_version": "os_version",
    "platform": "platform",
    "serial_number": "serial_number",
    "tag_id": "tags__uuid",
    "tag_id_in": "tags__uuid",
    "tag_name": "tags__name",
    "tag_name_in": "tags__name",
    "user": "user__name",
    "user_email": "user__email",
    "user_email_exact": "user__email",
    "user_id": "user__uuid",
    "user_name": "user__name",
}
PAGE = {"limit", "offset"}
NONE = ("no-such-value", str(UUID(int=0)))  # what no device has; not each filter takes both
PART = 3  # characters of a value that many devices contain
SAMPLE = 2000  # values that such a part is looked for in


def calls(tenant: "Tenant") -> Iterator[dict[str, str]]:
    """`name`, `kind` (exact, contains or ordering), `value` (many, few or none) and `query` of each call.

    Raises SystemExit for a filter without a row in COLUMNS.
    """
    from devices.api.schemas.devices import DeviceQuery
    from devices.fleet.record_filters import TERMS

    for name, field in DeviceQuery.model_fields.items():
        if name == "ordering":
            for column in TERMS:
                yield _call(column, "ordering", "ascending", {name: column})
                yield _call(column, "ordering", "descending", {name: f"-{column}"})
        elif name not in PAGE:
            if name not in COLUMNS:
                raise SystemExit(f"The filter {name} has no row in COLUMNS of {__name__}: which column has its values?")
            # The description of a filter says how it compares.
            kind = "contains" if "contains" in str(field.description) else "exact"
            for value, text in _values(tenant, name, contains=kind == "contains").items():
                yield _call(name, kind, value, {name: text})


def _call(name: str, kind: str, value: str, parameters: dict[str, str]) -> dict[str, str]:
    return {"name": name, "kind": kind, "value": value, "query": urlencode(parameters)}


def _values(tenant: "Tenant", name: str, *, contains: bool) -> dict[str, str]:
    """A value that many devices match, one that few match, and one that none matches, if the filter takes one."""
    from django.db.models import Count

    column = COLUMNS[name]
    rows = tenant.devices.order_by().exclude(**{f"{column}__isnull": True})
    counted: list[tuple[Any, int]] = list(rows.values_list(column).annotate(n=Count("pk")).order_by("-n", column))
    if not contains:
        # An empty text is no value.
        common = next(value for value, _ in counted[:2] if value != "")
        values = {"many": _text(common), "few": _text(counted[-1][0])}
    else:
        parts: Counter[str] = Counter()
        for value, number in counted[:SAMPLE]:
            text = _text(value)
            parts.update(dict.fromkeys({text[at : at + PART] for at in range(len(text) - PART + 1)}, number))
        values = {"many": parts.most_common(1)[0][0], "few": _text(counted[-1][0])}
    missing = next((value for value in NONE if _is_accepted(name, value)), None)
    return values | ({"none": missing} if missing else {})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_accepted(name: str, value: str) -> bool:
    from pydantic import ValidationError

    from devices.api.schemas.devices import DeviceQuery

    try:
        DeviceQuery.model_validate({name: value})
    except ValidationError:
        return False
    return True


if __name__ == "__main__":
    start()
    from access.models import Tenant

    answer(list(calls(Tenant.objects.get())))
