"""Devices that answer the questions of this server, without the protocol in between."""

from typing import Any

from devices.commands.queue import acknowledge, enqueue
from devices.models import Device, DeviceCommand, Order, Platform

GIGABYTES = 494.38


def ask(device: Device, id: str) -> DeviceCommand:
    (row,) = enqueue(device=device, orders=[Order(id)])
    assert row is not None
    return row


def answer(device: Device, id: str, said: dict[str, Any]) -> DeviceCommand:
    """The device has been asked, and has answered."""
    return acknowledge(command=ask(device, id), metadata=said)


def information(platform: Platform, **more: Any) -> dict[str, Any]:
    """An answer to DeviceInformation, with the facts that Apple documents for the platform."""
    said: dict[str, Any] = {
        "UDID": "00008103-001A2B3C4D5E6F70",
        "DeviceName": "Reception",
        "SerialNumber": "C02REPORTED",
        "OSVersion": "18.2",
        "BuildVersion": "22C152",
        "IsSupervised": True,
        "MDMOptions": {"ActivationLockAllowedWhileSupervised": False},
        "WiFiMAC": "a4:83:e7:01:02:03",
        "BluetoothMAC": "a4:83:e7:01:02:04",
    }
    match platform:
        case Platform.MAC:
            said |= {
                "ProductName": "Mac15,3",
                "ModelName": "MacBook Pro",
                "OSVersion": "15.2",
                "BuildVersion": "24C101",
                "DeviceCapacity": GIGABYTES,
                "AvailableDeviceCapacity": 120.5,
                "BatteryLevel": 0.8,
                "EthernetMAC": "a4:83:e7:01:02:05",
                "HostName": "reception.accuhive.example",
                "LocalHostName": "reception",
                "IsAppleSilicon": True,
                "IsActivationLockEnabled": False,
                "IsActivationLockSupported": True,
            }
        case Platform.IPHONE | Platform.IPAD:
            said |= {
                "ProductName": f"{platform}15,2",
                "ModelName": str(platform.value),
                "DeviceCapacity": 128.0,
                "AvailableDeviceCapacity": 64.0,
                "IsActivationLockEnabled": True,
                "CellularTechnology": 3,
                "ModemFirmwareVersion": "2.20.03",
                "IMEI": "35 123456 789012 3",
                "DataRoamingEnabled": True,
                "VoiceRoamingEnabled": False,
                "PersonalHotspotEnabled": False,
                "ServiceSubscriptions": [
                    {"Slot": "CTSubscriptionSlotTwo", "Label": "Work", "PhoneNumber": "+4930123"},
                    {"Slot": "CTSubscriptionSlotOne", "Label": "Home", "IMEI": "351234567890123"},
                ],
            }
        case _:
            said |= {"ProductName": "AppleTV14,1", "ModelName": "Apple TV"}
    return {"QueryResponses": said | more}


def security(**more: Any) -> dict[str, Any]:
    """The answer of a Mac to SecurityInfo."""
    return {
        "SecurityInfo": {
            "FDE_Enabled": True,
            "FDE_HasPersonalRecoveryKey": True,
            "FDE_HasInstitutionalRecoveryKey": False,
            "SystemIntegrityProtectionEnabled": True,
            "FirewallSettings": {
                "FirewallEnabled": True,
                "BlockAllIncoming": False,
                "StealthMode": True,
                "Applications": [],
                "LoggingEnabled": True,
                "LoggingOption": "throttled",
            },
            "FirmwarePasswordStatus": {"PasswordExists": False, "ChangePending": False, "AllowOroms": True},
            "ManagementStatus": {"EnrolledViaDEP": True, "UserApprovedEnrollment": True},
            "SecureBoot": {
                "SecureBootLevel": "medium",
                "ExternalBootLevel": "allowed",
                "ReducedSecurity": {"AllowsMDM": True, "AllowsAnyAppleSignedOS": False},
            },
            "RemoteDesktopEnabled": False,
            "AuthenticatedRootVolumeEnabled": True,
            "BootstrapTokenAllowedForAuthentication": "allowed",
            "IsRecoveryLockEnabled": False,
            **more,
        }
    }


def apps(*names: str, **more: Any) -> dict[str, Any]:
    return {
        "InstalledApplicationList": [
            {
                "Name": name,
                "Identifier": f"com.example.{name}",
                "ShortVersion": "1.2",
                "Version": "120",
                "BundleSize": 4096,
                **more,
            }
            for name in names
        ]
    }


PROFILES = {
    "ProfileList": [
        {
            "PayloadDisplayName": "Wi-Fi",
            "PayloadIdentifier": "com.example.wifi",
            "PayloadUUID": "11111111-2222-4333-8444-555555555555",
            "PayloadOrganization": "Accuhive",
            "PayloadRemovalDisallowed": True,
            "HasRemovalPasscode": False,
            "IsEncrypted": False,
            "IsManaged": True,
            "SignerCertificates": [b"der"],
            "PayloadContent": [
                {
                    "PayloadType": "com.apple.wifi.managed",
                    "PayloadIdentifier": "com.example.wifi.1",
                    "PayloadVersion": 1,
                }
            ],
        }
    ]
}
CERTIFICATES = {
    "CertificateList": [
        {"CommonName": "Accuhive CA", "IsIdentity": False, "Data": b"der"},
        {"CommonName": "reception", "IsIdentity": True, "Data": b"der"},
    ]
}
USERS = {
    "Users": [
        {
            "UserName": "ann",
            "FullName": "Ann Example",
            "UID": 501,
            "UserGUID": "AAAA",
            "IsLoggedIn": True,
            "MobileAccount": False,
            "HasSecureToken": True,
        },
        {"UserName": "_mdm", "FullName": "", "UID": 260, "UserGUID": "BBBB", "IsLoggedIn": False},
    ]
}
MANAGED = {"ManagedApplicationList": {"com.example.a": {"Status": "Managed", "ManagementFlags": 1}}}
