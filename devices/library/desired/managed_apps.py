"""What devices say of the apps that this server installed: how far each is in one list, and its version in another.

The device is locked by the caller in every function here.
"""

from collections.abc import Mapping

from devices.library.desired import evidence, ipa_files
from devices.library.desired.evidence import UNKNOWN, Sighting
from devices.library.desired.ways import IPA_APPS
from devices.models import Device, DeviceItem

State = DeviceItem.State
type Versions = Mapping[str, tuple[str, str]]  # by identifier: the version for people, and that of the build

MANAGED = "Managed"
GONE = Sighting(version="")
UNDECIDED = Sighting(version=None, undecided=True)
# By Apple's Status. Those that are not here say no more than that it is on its way.
_SIGHTINGS = {
    "Queued": Sighting(version=None, status="DOWNLOADING", words="The device has it in its queue."),
    "ValidatingPurchase": Sighting(version=None, status="DOWNLOADING", words="The device validates it."),
    "ValidatingUpdate": Sighting(version=None, status="DOWNLOADING", words="The device validates the update."),
    "Prompting": Sighting(version=None, words="The device asks its user whether to install it."),
    "PromptingForUpdate": Sighting(version=None, words="The device asks its user whether to update it."),
    "PromptingForManagement": Sighting(version=None, words="The device asks its user whether it may be managed."),
    "PromptingForLogin": Sighting(version=None, words="The device asks its user to sign in."),
    "PromptingForUpdateLogin": Sighting(version=None, words="The device asks its user to sign in."),
    "Installing": Sighting(version=None, words="The device installs it."),
    "Updating": Sighting(version=None, words="The device updates it."),
    "ManagedButUninstalled": Sighting(version="", words="Its user has removed it."),
    "UserInstalledApp": Sighting(version="", failure="The user has installed the app, which is not managed."),
    "UserRejected": Sighting(version="", failure="The user did not allow the installation."),
    "ManagementRejected": Sighting(version="", failure="The user did not allow that the app is managed."),
    "UpdateRejected": Sighting(version=None, failure="The user did not allow the update."),
    "Failed": Sighting(version="", failure="The device could not install it."),
}


def take_states(device: Device, states: Mapping[str, str]) -> tuple[bool, bool]:
    """Compare with Apple's Status of each managed app, by its identifier.

    Returns whether a command to the device is missing, and whether the versions of its apps decide about some of them.
    """
    unproven = False

    def see(row: DeviceItem) -> Sighting:
        nonlocal unproven
        status = states.get(row.identifier)
        if status is None:
            return GONE
        if status == MANAGED and _is_unproven(row):
            unproven = True
            return UNDECIDED
        return _SIGHTINGS.get(status, UNKNOWN)

    missing = evidence.shown(device, IPA_APPS, see)
    return missing, unproven


def take_no_states(device: Device) -> None:
    """The device does not answer: the patience with it ends all the same."""
    evidence.shown(device, IPA_APPS, lambda _: UNKNOWN)


def take_versions(device: Device, versions: Versions) -> bool:
    """Compare with the versions of the managed apps. Returns whether a command to the device is missing."""

    def see(row: DeviceItem) -> Sighting:
        found = versions.get(row.identifier)
        if found is None or row.item is None or not _is_unproven(row):
            return UNKNOWN
        if ipa_files.is_version(row.item, *found):
            return Sighting(version=row.wanted)
        return Sighting(version=_words(*found), words=f"It shows version {_words(*found)}.")

    return evidence.shown(device, IPA_APPS, see, "item__ipa_app__file")


def _is_unproven(row: DeviceItem) -> bool:
    """Whether the device took the version that it is to have, and has not shown that one yet.

    A version that it did not take is not proven by an app with the same number, which may be the former file. An app
    that is proven stays so: two items with the same app would replace each other for ever.
    """
    took = bool(row.wanted) and row.sent == row.wanted and row.sent_at is not None
    return took and row.state in {State.SENT, State.FAILED}


def _words(short: str, build: str) -> str:
    return f"{short} ({build})"[:60] if short and build and short != build else (short or build or "unknown")[:60]
