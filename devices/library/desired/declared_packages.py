"""Packages that a supervised Mac gets by declarations, from macOS 26: the declarations, and what it reports.

The device is locked by the caller in every function that changes something.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from devices.declarations.current import noted
from devices.declarations.declaration import Declaration, Kind
from devices.declarations.reports import packages_of, words_of
from devices.declarations.status_items import PACKAGE_LIST
from devices.declarations.support import PACKAGES, knows
from devices.enrollment.enrollments import enrollment_of
from devices.library.desired import evidence, links, package_files
from devices.library.desired.evidence import UNKNOWN, Sighting
from devices.library.desired.statuses import Statuses
from devices.library.desired.ways import DECLARED_PACKAGES
from devices.models import Device, DeviceItem, Enrollment, LibraryItem, Order

State = DeviceItem.State
PREFIX = "iru.package."
TYPE = "com.apple.configuration.package"
NEWS = Order(DECLARED_PACKAGES.install)  # tells the device that its declarations have changed
INVALID = "The device says that the declaration is invalid."
FAILED = "The device says that the installation failed."
# By Apple's state. Of the others, `optional` is not asked for.
STAGES = {
    "queued": Sighting(version=None, status="DOWNLOADING", words="The device has it in its queue."),
    "prompting-for-consent": Sighting(version=None, words="The device asks its user whether to install it."),
    "downloading": Sighting(version=None, status="DOWNLOADING", words="The device fetches it."),
    "installing": Sighting(version=None, words="The device installs it."),
}


def declarations(device: Device) -> Iterator[Declaration]:
    """Those of the device's packages. Costs two queries for a Mac from macOS 26, and none for other devices."""
    if not knows(device, PACKAGES):
        return
    rows = list(_rows(device).select_related("item").order_by("pk"))
    enrollment = enrollment_of(device) if rows else None
    if enrollment is not None:
        for row in rows:
            yield _declaration(device, enrollment, row)


def revisions(rows: Iterable[DeviceItem]) -> set[tuple[Any, ...]]:
    """What the declarations of these items differ in."""
    return {
        (row.item_uuid, row.wanted, row.declared)
        for row in rows
        if row.declared and row.wanted and row.state != State.UNFIT
    }


def announce(row: DeviceItem) -> None:
    """Prepare the row for the news: the device installs the item, or tries it once more. The caller saves the row."""
    row.declared += 1
    row.state, row.sent, row.sent_at, row.error = State.SENT, "", timezone.now(), ""
    row.next_at = evidence.next_look(row.sent_at, DECLARED_PACKAGES)


def fetched(device: Device, identifier: str) -> None:
    """The device is being given the declaration of this identifier, of a package or not."""
    if not identifier.startswith(PREFIX):
        return
    row = _rows(device).filter(item_uuid=identifier.removeprefix(PREFIX)).first()
    if row is None or row.sent == row.wanted:
        return
    row.sent = row.wanted
    if row.state == State.SENT:
        row.sent_at = timezone.now()
        row.next_at = evidence.next_look(row.sent_at, DECLARED_PACKAGES)
        statuses = Statuses(device)
        statuses.goes(row.item_id, DECLARED_PACKAGES, DECLARED_PACKAGES.sent)
        statuses.store()
    row.save(update_fields=["sent", "sent_at", "next_at"])


def take_report(device: Device, enrollment: Enrollment, items: Mapping[str, Any]) -> None:
    """Compare with what the device has reported, of which `items` came just now."""
    if not knows(device, PACKAGES) or not _rows(device).exists():
        return
    told = noted(device, enrollment)
    if told is None:
        return
    packages = {each["declaration"]: each for each in told.status.get(PACKAGE_LIST, {}).values()}
    said = {each["declaration"] for each in packages_of(items).values() if each}

    def see(row: DeviceItem) -> Sighting:
        # Its report counts only if the device has fetched the version that it is to have now.
        if row.item is None or row.sent != row.wanted or row.wanted != row.item.version:
            return UNKNOWN
        declared = _declaration(device, enrollment, row)
        state = told.states.get(declared.identifier, {})
        if state.get("server_token") == declared.server_token and state["valid"] == "invalid":
            return Sighting(version=None, failure="\n".join(words_of(state["reasons"])) or INVALID)
        package = packages.get(declared.identifier)
        if package is None:
            return UNKNOWN
        if package["state"] == "installed" and _is_of(package["version"], row.item):
            return Sighting(version=row.wanted)
        if package["state"] == "failed" and declared.identifier in said:
            return Sighting(version=None, failure="\n".join(words_of(package["reasons"])) or FAILED)
        return STAGES.get(package["state"], UNKNOWN)

    evidence.shown(device, DECLARED_PACKAGES, see, "item__custom_app__file")


def _rows(device: Device) -> QuerySet[DeviceItem]:
    """The items of a device that are declared to it."""
    rows = device.items.filter(type=DECLARED_PACKAGES.type, declared__gt=0, item__isnull=False)
    return rows.exclude(wanted="").exclude(state=State.UNFIT)


def _declaration(device: Device, enrollment: Enrollment, row: DeviceItem) -> Declaration:
    url = links.declared_manifest_url(device.tenant, enrollment.pk, row.item_uuid, row.wanted)
    return Declaration(
        Kind.CONFIGURATION,
        TYPE,
        f"{PREFIX}{row.item_uuid.hex}",
        {"ManifestURL": url, "InstallBehavior": {"Install": "Required"}},
        f"Package “{row.item.name if row.item else ''}”",
        row.declared,
    )


def _is_of(version: str, item: LibraryItem) -> bool:
    """Whether the version that a Mac reports is one of those in the file. Apple does not say which one it reports."""
    package = package_files.package_of(item)
    return not version or (package is not None and version in {package.version, *package.versions})
