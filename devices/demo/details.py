"""Details documents of demo devices."""

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from devices.dates import spaced, zulu
from devices.demo.data import Model
from devices.fleet.facts import DETAIL_FIELDS
from devices.inventory.detail_shapes import skeleton
from devices.models import Platform

_SYSTEM_USERS = (("root", "0", "/var/root"), ("daemon", "1", "/var/root"), ("nobody", "-2", "/var/empty"))
_PROFILES = (
    ("MDM Profile", "com.example.accuhive.mdm", ("com.apple.mdm", "com.apple.security.scep")),
    ("FileVault", "com.example.accuhive.filevault", ("com.apple.MCX.FileVault2",)),
    ("Restrictions", "com.example.accuhive.restrictions", ("com.apple.applicationaccess",)),
    ("Login Window", "com.example.accuhive.loginwindow", ("com.apple.loginwindow", "com.apple.screensaver")),
)


def demo_details(facts: dict[str, Any], model: Model, random: Random) -> dict[str, Any]:
    """Return the DETAILS document of a device.

    `facts` are the values of its record, with datetimes for times, and facts that only the details show: `mac_address`,
    `filevault_enabled`, the `build` of its system, and the `given_name` of its user ("" without a user).
    """
    platform = facts["platform"]
    details = skeleton(platform)
    for fact, field in DETAIL_FIELDS[platform]:
        details[field.section][field.key] = field.converter(facts[fact.key])
    details["tags"] = facts["tags"]
    match platform:
        case Platform.WINDOWS:
            _windows(details, facts, model, random)
        case Platform.ANDROID:
            _android(details, facts, model, random)
        case _:
            _apple(details, facts, model, random)
            if platform == Platform.MAC:
                _mac(details, facts, model, random)
            elif platform != Platform.APPLE_TV:
                _mobile(details, facts, model, random)
    return details


def _apple(details: dict[str, Any], facts: dict[str, Any], model: Model, random: Random) -> None:
    details["mdm"]["install_date"] = spaced(facts["last_enrollment"])
    details["activation_lock"] |= {
        "bypass_code_failed": False,
        "device_activation_lock_enabled": False,
        "activation_lock_supported": True,
    }
    details["filevault"] |= {"filevault_prk_escrowed": False, "filevault_regen_required": False}
    details["hardware_overview"]["model_identifier"] = model.identifier
    details["recovery_information"] |= {
        "recovery_lock_enabled": False,
        "firmware_password_exist": False,
        "firmware_password_pending": False,
    }
    if facts["platform"] == Platform.MAC:
        return
    details["hardware_overview"]["uuid"] = f"{random.getrandbits(32):08X}-{random.getrandbits(64):016X}"


def _mac(details: dict[str, Any], facts: dict[str, Any], model: Model, random: Random) -> None:
    enrolled_at: datetime = facts["last_enrollment"]
    encrypted: bool = facts["filevault_enabled"]
    name: str = facts["given_name"]
    account = name.lower().replace(" ", "") if name.isascii() and name else f"user{random.randint(100, 999)}"
    details["general"] |= {
        "system_version": f"macOS {facts['os_version']} ({facts['build']})",
        "boot_volume": "Macintosh HD",
        "time_since_boot": f"{random.randint(0, 20)} days, {random.randint(0, 23)} hours",
        "last_user": account,
    }
    details["mdm"] |= {"supervised": "True", "mdm_enabled_user": [account]}
    details["activation_lock"] |= {
        "user_activation_lock_enabled": random.random() < 0.1,
        "activation_lock_allowed_while_supervised": False,
    }
    details["filevault"]["filevault_prk_escrowed"] = encrypted
    details["kandji_agent"] |= {"install_date": spaced(enrolled_at + timedelta(minutes=2))}
    details["hardware_overview"] |= {
        "model_name": model.name.split(" (")[0],
        "processor_name": model.processor,
        "number_of_processors": "1",
        "total_number_of_cores": str(model.cores),
        "memory": f"{random.choice((8, 16, 16, 24, 32))} GB",
        "udid": _uuid(random).upper(),
    }
    details["volumes"] = [_volume(random, "Macintosh HD", "APFS", "disk3s1s1", "Yes" if encrypted else "No")]
    details["network"] |= {
        "local_hostname": f"{account}-{facts['serial_number'][-4:]}".lower(),
        "ip_address": f"10.20.{random.randint(0, 31)}.{random.randint(10, 250)}",
    }
    details["recovery_information"] |= {
        "recovery_lock_enabled": True,
        "password_rotation_scheduled": zulu(enrolled_at + timedelta(days=1200)),
        "password_has_been_set": True,
    }
    people = [(account, "501", "Yes" if random.random() < 0.3 else "No")]
    if random.random() < 0.4:
        people.append(("itadmin", "502", "Yes"))
    details["users"] = {
        "regular_users": [
            {"username": user, "uid": uid, "path": f"/Users/{user}", "admin": admin, "name": ""}
            for user, uid, admin in people
        ],
        "system_users": [
            {"username": user, "uid": uid, "path": path, "admin": "Yes" if user == "root" else "No"}
            for user, uid, path in _SYSTEM_USERS
        ],
    }
    details["installed_profiles"] = [
        {
            "name": name,
            "uuid": _uuid(random),
            "verified": "verified",
            "identifier": identifier,
            "organization": "Accuhive",
            "payload_types": list(payload_types),
            "install_date": spaced(enrolled_at + timedelta(minutes=1)),
        }
        for name, identifier, payload_types in _PROFILES[: random.randint(2, 4)]
    ]
    details["security_information"]["remote_desktop_enabled"] = random.random() < 0.05


def _mobile(details: dict[str, Any], facts: dict[str, Any], model: Model, random: Random) -> None:
    details["mdm"]["supervised"] = "True"
    details["activation_lock"] |= {
        "user_activation_lock_enabled": random.random() < 0.1,
        "activation_lock_allowed_while_supervised": False,
    }
    details["automated_device_enrollment"] = {"auto_enroll_eligible": True, "auto_enrolled": True}
    details["recovery_information"]["password_has_been_set"] = False
    details["volumes"] = [_volume(random, "", "", "", "")]
    details["apple_business_manager"] = {
        "model": model.name,
        "color": random.choice(("BLACK", "SILVER", "BLUE", "STARLIGHT")),
        "description": f"{model.name.upper()} {random.choice((64, 128, 256))}GB",
        "serial_number": facts["serial_number"],
        "device_family": facts["platform"],
        "os": "iOS",
        "device_assigned_date": spaced(facts["first_enrollment"] - timedelta(days=3)),
        "device_assigned_by": "it@accuhive.example",
    }
    if facts["platform"] == Platform.IPHONE:
        details["cellular"] = {
            "voice_roaming": False,
            "data_roaming": random.random() < 0.2,
            "cellular_technology": 3,
            "subscriptions": None,
        }


def _windows(details: dict[str, Any], facts: dict[str, Any], model: Model, random: Random) -> None:
    details["general"] |= {
        "manufacturer": model.identifier,
        "device_type": "Laptop",
        "os_name": "Windows 11",
        "os_build": facts["os_version"].rsplit(".", 1)[1],
        "os_edition": random.choice(("Pro", "Enterprise")),
        "update_build_revision": facts["build"],
        "language": random.choice(("en-US", "en-GB", "de-DE", "pt-BR")),
    }
    details["mdm"] |= {
        "management_client_revision": "1.0",
        "windows_device_id": f"{random.getrandbits(128):032X}",
    }
    total = random.choice((256, 512, 1024))
    details["hardware_overview"] |= {
        "bios_version": f"1.{random.randint(8, 30)}.0",
        "free_capacity": f"{random.randint(40, total - 60)} GB",
        "processor_architecture": model.processor,
        "total_ram": f"{random.choice((16, 32))} GB",
        "total_capacity": f"{total} GB",
    }
    details["network"] |= {
        "dns_computer_name": facts["device_name"],
        "volte_service_setting": "False",
        "wifi_dns_suffix": "corp.accuhive.example",
        "wifi_ipv4_address": f"10.20.{random.randint(32, 63)}.{random.randint(10, 250)}",
        "wifi_ipv6_address": f"fe80::{random.getrandbits(16):x}:{random.getrandbits(16):x}",
        "wifi_subnet_mask": "255.255.224.0",
    }
    details["kandji_agent"]["install_date"] = zulu(facts["last_enrollment"] + timedelta(minutes=3))


def _android(details: dict[str, Any], facts: dict[str, Any], model: Model, random: Random) -> None:
    details["general"] |= {
        "manufacturer": model.identifier,
        "os_build": f"AP{facts['build'][-1]}A.{random.randint(240405, 251005)}.002",
        "enterprise_id": "LC04accuhive",
        "enterprise_device_id": f"{random.getrandbits(64):016x}",
    }
    total = random.choice((128, 256))
    details["hardware"] |= {
        "available_capacity": f"{random.randint(20, total - 20)} GB",
        "total_capacity": f"{total} GB",
        "total_ram": "8 GB",
    }
    details["management"] = {"management_mode": "DEVICE_OWNER", "ownership": "COMPANY_OWNED"}
    details["cellular"]["imei"] = f"35{random.randrange(10**13):013}"
    details["security"] |= {
        "device_posture": "SECURE",
        "encryption_status": "ACTIVE_PER_USER",
        "has_google_play_protect": True,
        "has_passcode": random.random() < 0.95,
        "is_encrypted": True,
    }


def _volume(random: Random, name: str, format_: str, identifier: str, encrypted: str) -> dict[str, str]:
    capacity = random.choice((64, 128, 256)) if not name else random.choice((245.11, 494.38, 994.66))
    used = random.randint(12, 93)
    return {
        "name": name,
        "format": format_,
        "percent_used": f"{used}%",
        "identifier": identifier,
        "capacity": f"{capacity} GB",
        "available": f"{capacity * (100 - used) / 100:.2f} GB",
        "encrypted": encrypted,
    }


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))
