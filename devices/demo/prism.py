"""Rows of Prism that a demo device reports in addition to its details and its apps."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from devices.demo.library import fixed_id
from devices.models import MOBILE, Device, Platform

type Rows = list[dict[str, Any]]

_CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")
_AGENTS = (
    ("com.accuhive.vpn.helper", "daemon", "/Library/Accuhive/VPN/helper", True),
    ("com.microsoft.update.agent", "agent", "/Library/Application Support/Microsoft/MAU2.0/update", False),
    ("com.iru.agent-daemon", "daemon", "/Library/Iru/Iru Agent.app/Contents/MacOS/iru-daemon", True),
    ("com.iru.AgentMenu", "agent", "/Library/Iru/Iru Agent.app/Contents/MacOS/IruMenu", True),
    ("com.google.keystone.agent", "agent", "/Library/Google/GoogleSoftwareUpdate/update", False),
    ("com.docker.vmnetd", "daemon", "/Library/PrivilegedHelperTools/com.docker.vmnetd", True),
    ("us.zoom.ZoomDaemon", "daemon", "/Library/PrivilegedHelperTools/us.zoom.ZoomDaemon", False),
)
_EXTENSIONS = (
    ("com.iru.AgentESF", "Iru ESF", "4.8.12", "7812", "endpoint_security", "P3FGV63VK7"),
    ("com.accuhive.vpn.tunnel", "Accuhive VPN", "3.2.1", "321", "network_extension", "AH4NETW0RK"),
    ("com.docker.filesharing", "Docker", "4.49.0", "208700", "driver_extension", "9BNSXJN65R"),
)
_CERTIFICATES = (
    ("Accuhive Root CA", False),
    ("Accuhive Issuing CA 2", False),
    ("com.apple.kerberos.kdc", True),
    ("com.apple.systemdefault", True),
)
_CONSENTS = (
    ("ScreenCapture", "us.zoom.xos"),
    ("ScreenCapture", "com.tinyspeck.slackmacgap"),
    ("Microphone", "us.zoom.xos"),
    ("Camera", "us.zoom.xos"),
    ("SystemPolicyAllFiles", "com.iru.agent-daemon"),
    ("PostEvent", "com.runningwithcrayons.Alfred"),
    ("BluetoothAlways", "com.spotify.client"),
)
_PROFILES = (
    ("MDM Profile", "com.example.accuhive.mdm", ("com.apple.mdm", "com.apple.security.scep"), False),
    ("FileVault", "com.example.accuhive.filevault", ("com.apple.MCX.FileVault2",), True),
    ("Restrictions", "com.example.accuhive.restrictions", ("com.apple.applicationaccess",), True),
    ("Office Wi-Fi", "com.example.accuhive.wifi", ("com.apple.wifi.managed",), True),
)


def demo_reports(devices: Iterable[Device]) -> dict[str, dict[int, Rows]]:
    """The reports of these devices: rows by category and by the device's primary key. Always the same for a device.

    It reads `inventory` of each device.
    """
    reports: dict[str, dict[int, Rows]] = {}
    for device in devices:
        for category, rows in _reports(device):
            reports.setdefault(category, {})[device.pk] = rows
    return reports


def _reports(device: Device) -> Iterator[tuple[str, Rows]]:
    random = Random(f"prism {device.uuid}")  # noqa: S311 - a reproducible fleet, without real secrets
    if device.platform in {Platform.WINDOWS, Platform.ANDROID}:
        return
    yield "certificates", _certificates(device, random)
    yield "installed_profiles", _profiles(device, random)
    if device.platform in MOBILE:
        yield "cellular", [_cellular(device, random)]
    if device.platform == Platform.MAC:
        yield from _mac(device, random)


def _mac(device: Device, random: Random) -> Iterator[tuple[str, Rows]]:
    accounts = _accounts(device)
    protected = random.random() < 0.97
    yield "application_firewall", [_firewall(random)]
    yield "desktop_and_screensaver", [_desktop(name, random) for name in accounts]
    yield "gatekeeper_and_xprotect", [_gatekeeper(random, protected=protected)]
    yield "kernel_extensions", _kernel_extensions(random)
    yield "launch_agents_and_daemons", [_agent(agent, accounts, random) for agent in _some(_AGENTS, 3, random)]
    yield "local_users", _users(device, accounts)
    yield "startup_settings", [_startup(random, protected=protected)]
    yield "system_extensions", [_extension(each, random) for each in _some(_EXTENSIONS, 1, random)]
    yield (
        "transparency_database",
        [_consent(each, accounts, device.last_enrollment, random) for each in _some(_CONSENTS, 2, random)],
    )


def _some[T](choices: tuple[T, ...], minimum: int, random: Random) -> list[T]:
    indexes = random.sample(range(len(choices)), random.randint(minimum, len(choices)))
    return [choices[index] for index in sorted(indexes)]


def _accounts(device: Device) -> list[str]:
    rows = device.inventory.details.get("users", {}).get("regular_users", [])
    return [row["username"] for row in rows] or ["admin"]


def _certificates(device: Device, random: Random) -> Rows:
    names = _CERTIFICATES if device.platform == Platform.MAC else _CERTIFICATES[:2]
    rows = [{"common_name": name, "identity_certificate": identity} for name, identity in names]
    if random.random() < 0.8:
        rows.append({"common_name": f"{device.serial_number} (MDM)", "identity_certificate": True})
    return rows


def _profiles(device: Device, random: Random) -> Rows:
    return [
        {
            "profile_display_name": name,
            "payload_identifier": identifier,
            "payload_uuid": str(fixed_id("profile", identifier)).upper(),
            "removal_passcode": False,
            "encrypted": False,
            "managed": True,
            "profile_description": None,
            "organization": "Accuhive",
            "removable": removable,
            "signed": True,
            "profile_data": [
                {
                    "identifier": f"{identifier}.{number}",
                    "uuid": str(fixed_id("payload", identifier, number)).upper(),
                    "version": 1,
                    "type": type_,
                }
                for number, type_ in enumerate(types, 1)
            ],
        }
        for name, identifier, types, removable in _PROFILES[: random.randint(2, len(_PROFILES))]
    ]


def _cellular(device: Device, random: Random) -> dict[str, Any]:
    phone = device.platform == Platform.IPHONE
    return {
        "cellular_technology": "Both" if phone else "None",
        "data_roaming_enabled": phone and random.random() < 0.2,
        "voice_roaming_enabled": False,
        "modem_firmware_version": random.choice(("3.20.05", "3.11.02", "2.80.01")) if phone else "",
        "personal_hotspot_enabled": phone and random.random() < 0.3,
        "meid": f"35{random.randrange(10**12):012}" if phone else "",
        "imei_slot_1": f"35 {random.randrange(10**6):06} {random.randrange(10**6):06} 0" if phone else "",
        "slot_1": "CTSubscriptionSlotOne" if phone else "",
    }


def _firewall(random: Random) -> dict[str, Any]:
    enabled = random.random() < 0.9
    return {
        "status": enabled,
        "block_all_incoming": enabled and random.random() < 0.1,
        "logging": True,
        "logging_option": "throttled",
        "stealth_mode": enabled and random.random() < 0.6,
        "version": random.choice(("1.6", "1.7")),
        "allow_signed_applications": True,
        "unloading": False,
    }


def _desktop(account: str, random: Random) -> dict[str, Any]:
    row: dict[str, Any] = {
        "screensaver_interval": random.choice((300, 600, 900, 1200)),
        "user_account": account,
        "screensaver_path": "/System/Library/Screen Savers/Flurry.saver" if random.random() < 0.7 else None,
        "uses_random_screensaver": False,
        "show_with_clock": random.random() < 0.3,
    }
    for corner in _CORNERS:
        row[f"{corner}_hot_corner_option"] = "Quick Note" if corner == "bottom_right" else "Off"
        row[f"{corner}_hot_corner_modifier"] = "No Modifiers"
    return row


def _gatekeeper(random: Random, *, protected: bool) -> dict[str, Any]:
    return {
        "gatekeeper_status": protected,
        "trusted_developers": True,
        "gatekeeper_version": "8.0",
        "gatekeeper_opaque_version": "94",
        "xprotect_version": random.choices(("5322", "5319", "5283"), (80, 15, 5))[0],
        "malware_removal_tool_version": "1.93",
    }


def _kernel_extensions(random: Random) -> Rows:
    if random.random() > 0.15:
        return []
    path, identifier = "/Library/Extensions/ufsd_NTFS.kext", "com.paragon-software.filesystems.ntfs"
    row = {
        "path": path,
        "identifier": identifier,
        "name": "ufsd_NTFS",
        "version": "22.0.51",
    }
    return [{**row, "team_id": "LSJ6YVK468", "is_loaded": random.random() < 0.8}]


def _agent(agent: tuple[str, str, str, bool], accounts: list[str], random: Random) -> dict[str, Any]:
    label, kind, program, keep_alive = agent
    loaded = random.random() < 0.95
    users = [{"uid": 501.0 + number, "username": name} for number, name in enumerate(accounts)]
    daemon = kind == "daemon"
    return {
        "path": f"/Library/Launch{'Daemons' if daemon else 'Agents'}/{label}.plist",
        "file_name": f"{label}.plist",
        "label": label,
        "program": program,
        "run_at_load": True,
        "keep_alive": keep_alive,
        "disabled": None,
        "is_disabled": False,
        "is_loaded": loaded,
        "start_interval": None if keep_alive else 3600,
        "program_arguments": f"{program}, --background",
        "process_type": "BACKGROUND" if daemon else None,
        "domain": {"daemon": {}} if daemon else {"system_agent": {"loaded_users": users, "disabled_users": []}},
        "service_domain": "Daemon" if daemon else "System Agent",
        "pid": random.randint(200, 60_000) if loaded else None,
    }


def _users(device: Device, accounts: list[str]) -> Rows:
    return [
        {
            "uid": 501 + number,
            "generated_uid": str(fixed_id("account", device.uuid, name)).upper(),
            "directory": "/Local/Default",
            "home_directory": f"/Users/{name}",
            "shell": "/bin/zsh",
            "type": "Administrator" if name == "itadmin" else "Standard",
            "hidden_user": False,
            "filevault_user": bool(device.filevault_enabled),
            "volume_owner": True,
            "full_name": name.capitalize(),
            "username": name,
            "logged_in": number == 0,
            "mobile_account": False,
            "home_folder_secure": True,
        }
        for number, name in enumerate(accounts)
    ]


def _startup(random: Random, *, protected: bool) -> dict[str, Any]:
    return {
        "sip": protected,
        "ssv": True,
        "bootstrap_token_auth": True,
        "kext_requires_bst": True,
        "software_update_requires_bst": True,
        "bootstrap_token_escrowed": random.random() < 0.96,
        "external_boot_level": "allowed",
        "secure_boot_level": "full" if protected else "off",
    }


def _extension(extension: tuple[str, str, str, str, str, str], random: Random) -> dict[str, Any]:
    identifier, name, version, bundle, categories, team = extension
    active, folder = random.random() < 0.95, str(fixed_id("extension", identifier)).upper()
    return {
        "path": f"/Library/SystemExtensions/{folder}/{identifier}.systemextension",
        "identifier": identifier,
        "state": "activated_enabled" if active else "terminated_waiting_to_uninstall_on_reboot",
        "name": name,
        "short_version": version,
        "bundle_version": bundle,
        "categories": f"com.apple.system_extension.{categories}",
        "bundle_path": f"/Applications/{name}.app",
        "team_id": team,
        "is_mdm_managed": True,
    }


def _consent(consent: tuple[str, str], accounts: list[str], enrolled_at: datetime, random: Random) -> dict[str, Any]:
    service, application = consent
    managed = application.startswith("com.iru.")
    return {
        "service": service,
        "application": application,
        "client_type": "Bundle Identifier",
        "status": "Allowed" if managed or random.random() < 0.85 else "Denied",
        "status_reason": "System Set" if managed else "User Consent",
        "last_modified": enrolled_at + timedelta(minutes=random.randint(5, 5000)),
        "local_user": None if managed else accounts[0],
    }
