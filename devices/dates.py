"""The ways in which the API writes a moment."""

from datetime import UTC, datetime
from typing import overload


@overload
def zulu(moment: datetime) -> str: ...
@overload
def zulu(moment: None) -> None: ...
def zulu(moment: datetime | None) -> str | None:
    """`2024-05-13T20:09:23.123456Z`, always with six decimals."""
    return f"{zoneless(moment)}Z" if moment else None


@overload
def whole_seconds(moment: datetime) -> str: ...
@overload
def whole_seconds(moment: None) -> None: ...
def whole_seconds(moment: datetime | None) -> str | None:
    """`2024-05-13T20:09:23Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def spaced(moment: datetime | None) -> str:
    """`2024-05-13 20:09:27.374451+00:00`, and an empty text for what never happened."""
    return moment.astimezone(UTC).isoformat(" ", "microseconds") if moment else ""


def zoneless(moment: datetime) -> str:
    """`2024-05-13T20:09:23.123456`, in UTC."""
    # A quarter of the time of `strftime`, for three moments in each record of an import.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


@overload
def spaced_zoneless(moment: datetime) -> str: ...
@overload
def spaced_zoneless(moment: None) -> None: ...
def spaced_zoneless(moment: datetime | None) -> str | None:
    """`2024-05-13 20:09:23.123456`, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if moment else None


def with_offset(moment: datetime) -> str:
    """`2024-05-13T20:09:23.123456+00:00`, always with six decimals."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
