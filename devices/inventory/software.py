"""Apps, profiles and certificates: where the answers to the questions for them go."""

from typing import Any

from devices.fleet.facts import english
from devices.inventory.answers import Answer, flag, given, integer, rows, text
from devices.inventory.reports import Report, store_answer
from devices.models import Device

type Row = dict[str, Any]

# Of an app, what an iPhone, iPad or Apple TV is asked for.
APP_ITEMS = (
    "Identifier",
    "Name",
    "ShortVersion",
    "Version",
    "BundleSize",
    "DynamicSize",
    "ExternalVersionIdentifier",
    "AppStoreVendable",
    "DeviceBasedVPP",
    "BetaApp",
    "AdHocCodeSigned",
    "HasUpdateAvailable",
    "Installing",
    "IsAppClip",
    "IsValidated",
)
_PAYLOADS = 100  # of a profile


def store_apps(device: Device, answer: Answer) -> int | None:
    """Store the apps of a locked device. Returns their number; None for an answer without a list."""
    said = rows(answer, "InstalledApplicationList")
    if said is None:
        return None
    found = sorted(
        (app for app in said if text(app, "Name") or text(app, "Identifier")),
        key=lambda app: (
            (text(app, "Name") or "").casefold(),
            text(app, "Identifier") or "",
            text(app, "ShortVersion") or "",
            text(app, "Version") or "",
        ),
    )
    store_answer(
        device,
        "installed_applications",
        found,
        lambda: Report(
            apps=[_app(app) for app in found],
            prism={"apps": [_app_row(app) for app in found]},
            derived=frozenset({"apps"}),
        ),
    )
    return len(found)


def app_versions(answer: Answer) -> dict[str, list[tuple[str, str]]]:
    """The version for people and that of the build of each copy of an app, by the identifier of the app."""
    found: dict[str, list[tuple[str, str]]] = {}
    for app in rows(answer, "InstalledApplicationList") or ():
        if identifier := text(app, "Identifier"):
            found.setdefault(identifier, []).append((text(app, "ShortVersion") or "", text(app, "Version") or ""))
    return found


def store_profiles(device: Device, answer: Answer) -> tuple[dict[str, str] | None, bool]:
    """Store the profiles of a locked device.

    Returns the PayloadUUIDs by the identifiers, None for an answer without a list, and whether the list is that of the
    last time.
    """
    said = rows(answer, "ProfileList")
    if said is None:
        return None, False
    found = sorted(
        (profile for profile in said if text(profile, "PayloadIdentifier")),
        key=lambda profile: (text(profile, "PayloadIdentifier") or "", text(profile, "PayloadUUID") or ""),
    )
    same = store_answer(
        device,
        "profile_list",
        found,
        lambda: Report(
            details={"installed_profiles": [_profile(profile) for profile in found]},
            prism={"installed_profiles": [_profile_row(profile) for profile in found]},
        ),
    )
    versions = {
        text(each, "PayloadIdentifier") or "": (text(each, "PayloadUUID", most=100) or "").upper() for each in found
    }
    return versions, same


def store_certificates(device: Device, answer: Answer) -> int | None:
    """Store the certificates of a locked device. Returns their number; None for an answer without a list."""
    said = rows(answer, "CertificateList")
    if said is None:
        return None
    # Two certificates of one name are two rows, in an order that does not depend on the answer's.
    found = sorted((name, bool(flag(each, "IsIdentity"))) for each in said if (name := text(each, "CommonName")))
    store_answer(
        device,
        "certificate_list",
        found,
        lambda: Report(
            prism={"certificates": [{"common_name": name, "identity_certificate": has_key} for name, has_key in found]}
        ),
    )
    return len(found)


def _app(app: Answer) -> Row:
    size = integer(app, "BundleSize")
    vendable, licensed = flag(app, "AppStoreVendable"), flag(app, "DeviceBasedVPP")
    return given(
        app_name=text(app, "Name") or "",
        bundle_id=text(app, "Identifier") or "",
        version=text(app, "ShortVersion") or text(app, "Version") or "",
        bundle_size=None if size is None else str(size),
        app_store_vendable=None if vendable is None else english(vendable),
        device_based_vpp=None if licensed is None else english(licensed),
    )


def _app_row(app: Answer) -> Row:
    return given(
        version=text(app, "Version"),
        dynamic_size=integer(app, "DynamicSize"),
        external_version_identifier=integer(app, "ExternalVersionIdentifier"),
        beta_app=flag(app, "BetaApp"),
        ad_hoc_code_signed=flag(app, "AdHocCodeSigned"),
        has_update_available=flag(app, "HasUpdateAvailable"),
        installing=flag(app, "Installing"),
        app_clip=flag(app, "IsAppClip"),
        validated=flag(app, "IsValidated"),
        download_failed=flag(app, "DownloadFailed"),
        download_waiting=flag(app, "DownloadWaiting"),
        download_paused=flag(app, "DownloadPaused"),
        download_canceled=flag(app, "DownloadCancelled"),
    )


def _profile(profile: Answer) -> Row:
    payloads = rows(profile, "PayloadContent") or []
    return {
        "name": text(profile, "PayloadDisplayName") or "",
        "uuid": text(profile, "PayloadUUID", most=100) or "",
        "identifier": text(profile, "PayloadIdentifier") or "",
        "organization": text(profile, "PayloadOrganization") or "",
        "payload_types": [type for each in payloads[:_PAYLOADS] if (type := text(each, "PayloadType", most=255))],
    }


def _profile_row(profile: Answer) -> Row:
    undeletable = flag(profile, "PayloadRemovalDisallowed")
    payloads = rows(profile, "PayloadContent") or []
    return given(
        profile_display_name=text(profile, "PayloadDisplayName"),
        payload_identifier=text(profile, "PayloadIdentifier"),
        payload_uuid=text(profile, "PayloadUUID", most=100),
        removal_passcode=flag(profile, "HasRemovalPasscode"),
        encrypted=flag(profile, "IsEncrypted"),
        managed=flag(profile, "IsManaged") is not False,  # Macs do not say it
        profile_description=text(profile, "PayloadDescription"),
        organization=text(profile, "PayloadOrganization"),
        removable=None if undeletable is None else not undeletable,
        signed=bool(profile.get("SignerCertificates")),
        profile_data=[
            given(
                payload_type=text(each, "PayloadType", most=255),
                payload_identifier=text(each, "PayloadIdentifier"),
                payload_uuid=text(each, "PayloadUUID", most=100),
                payload_display_name=text(each, "PayloadDisplayName"),
            )
            for each in payloads[:_PAYLOADS]
        ],
    )
