"""The contents of the demo library: profiles, scripts, and their activity."""

import plistlib
from datetime import timedelta
from random import Random
from typing import Any

from django.utils import timezone

from access.models import Tenant
from devices.demo.data import DOMAIN
from devices.demo.library import ITEMS, Item, fixed_id
from devices.library import categories
from devices.library.kinds import RUNS_ON
from devices.library.profile_files import mdm_identifier, stamped
from devices.models import CustomProfile, CustomScript, LibraryActivity, LibraryItem

ADMINISTRATOR, EMAIL = "Ana Ruiz", f"ana.ruiz@{DOMAIN}"
PAYLOADS: dict[str, list[dict[str, Any]]] = {
    "FileVault": [
        {"PayloadType": "com.apple.MCX.FileVault2", "Enable": "On", "Defer": True, "ShowRecoveryKey": False},
    ],
    "Firewall": [{"PayloadType": "com.apple.security.firewall", "EnableFirewall": True, "EnableStealthMode": True}],
    "Login Window Banner": [
        {
            "PayloadType": "com.apple.loginwindow",
            "LoginwindowText": "This Mac belongs to Accuhive. If found: +1 555 0100",
            "SHOWFULLNAME": False,
        }
    ],
    "Office Wi-Fi": [
        {
            "PayloadType": "com.apple.wifi.managed",
            "SSID_STR": "Accuhive",
            "AutoJoin": True,
            "EncryptionType": "WPA3",
            "Password": "no-real-password",
        }
    ],
    "Passcode": [
        {
            "PayloadType": "com.apple.mobiledevice.passwordpolicy",
            "minLength": 8,
            "requireAlphanumeric": True,
            "maxInactivity": 10,
        }
    ],
    "Restrictions": [
        {
            "PayloadType": "com.apple.applicationaccess",
            "allowAirDrop": True,
            "allowCamera": True,
            "allowEraseContentAndSettings": False,
            "blacklistedAppBundleIDs": ["com.example.game"],
        }
    ],
    "Kiosk Mode": [
        {
            "PayloadType": "com.apple.app.lock",
            "App": {"Identifier": "com.accuhive.rooms", "Options": {"DisableTouch": False}},
        }
    ],
    "Colour Profiles": [
        {"PayloadType": "com.apple.ColorSync", "Profile": b"acsp" + bytes(60), "DisplayMatching": "Studio Display"}
    ],
}
SCRIPTS: dict[str, dict[str, Any]] = {
    "Name Computer After Serial Number": {
        "execution_frequency": "every_day",
        "script": (
            "#!/bin/zsh\n# Passes if the computer is named after its serial number.\n"
            "serial=$(ioreg -d2 -c IOPlatformExpertDevice | awk -F\\\" '/IOPlatformSerialNumber/{print $(NF-1)}')\n"
            '[[ "$(scutil --get ComputerName)" == "AH-${serial}" ]]'
        ),
        "remediation_script": (
            "#!/bin/zsh\n"
            "serial=$(ioreg -d2 -c IOPlatformExpertDevice | awk -F\\\" '/IOPlatformSerialNumber/{print $(NF-1)}')\n"
            'for name in ComputerName LocalHostName HostName; do\n    scutil --set "$name" "AH-${serial}"\ndone'
        ),
    },
    "Remove Games": {
        "execution_frequency": "every_15_min",
        "script": "#!/bin/zsh\n[[ ! -e /Applications/Chess.app ]]",
        "remediation_script": "#!/bin/zsh\nrm -rf /Applications/Chess.app",
    },
    "Rosetta": {
        "execution_frequency": "once",
        "script": "#!/bin/zsh\n/usr/sbin/softwareupdate --install-rosetta --agree-to-license",
    },
}
IN_SELF_SERVICE = {"Rosetta": "Utilities"}


def add_contents(tenant: Tenant, items: dict[Any, LibraryItem]) -> None:
    """Add dates, contents and activity to the items, which are keyed by their ids. The result is always the same."""
    random = Random(tenant.subdomain)  # noqa: S311 - reproducible demo data
    this_morning = timezone.now().replace(hour=9, minute=0, second=0, microsecond=0)
    offered = {category.name: category.uuid for category in categories.categories(tenant)}
    activity: list[LibraryActivity] = []
    for item in ITEMS:
        row = items[item.id]
        row.created_at = this_morning - timedelta(days=random.randint(40, 400), seconds=random.randint(0, 30_000))
        row.updated_at = row.created_at + timedelta(days=random.randint(1, 30), microseconds=731)
        if name := IN_SELF_SERVICE.get(item.name):
            row.show_in_self_service = row.self_service_recommended = True
            row.category = categories.get(tenant, offered[name])
        activity += _activity(row)
    CustomScript.objects.bulk_create(
        [CustomScript(item=items[item.id], **SCRIPTS[item.name]) for item in ITEMS if item.name in SCRIPTS]
    )
    CustomProfile.objects.bulk_create(
        [_profile(item, items[item.id]) for item in ITEMS if item.name in PAYLOADS],
    )
    shared = ["created_at", "updated_at", "show_in_self_service", "self_service_recommended", "category", "version"]
    LibraryItem.objects.bulk_update(items.values(), shared)
    LibraryActivity.objects.bulk_create(sorted(activity, key=lambda row: row.activity_time))


def _profile(item: Item, row: LibraryItem) -> CustomProfile:
    payloads = [
        {
            **payload,
            "PayloadIdentifier": f"com.accuhive.{payload['PayloadType'].rsplit('.', 1)[-1].lower()}",
            "PayloadUUID": str(fixed_id("payload", item.name, number)).upper(),
            "PayloadVersion": 1,
        }
        for number, payload in enumerate(PAYLOADS[item.name])
    ]
    content = {"PayloadContent": payloads, "PayloadType": "Configuration", "PayloadVersion": 1}
    text = plistlib.dumps(content, sort_keys=True).decode()
    uuid = fixed_id("profile", item.name)
    runs_on = {name: platform in item.platforms for name, platform in RUNS_ON.items()}
    row.version = str(uuid).upper()
    return CustomProfile(
        item=row, profile=stamped(text, identifier=mdm_identifier(row), name=row.name, uuid=uuid), **runs_on
    )


def _activity(item: LibraryItem) -> list[LibraryActivity]:
    types = LibraryActivity.Type
    rows = [
        (types.CREATED, item.created_at, None),
        (types.ASSIGNMENT_CHANGED, item.created_at + timedelta(minutes=4), None),
        (types.EDITED, item.updated_at, [f"Name: {item.name} (trial) → {item.name}"]),
    ]
    return [
        LibraryActivity(
            tenant_id=item.tenant_id,
            item_uuid=item.uuid,
            activity_type=type_,
            activity_time=at,
            user_id=str(fixed_id("administrator", ADMINISTRATOR)),
            user_email=EMAIL,
            user_name=ADMINISTRATOR,
            details=details,
        )
        for type_, at, details in rows
    ]
