"""What a simulated device answers when it is asked about itself, with the keys that Apple has for its system."""

from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from devices.mdm.simulator import apps
from devices.wire.envelopes import seal_envelope

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

ESCROW = "com.apple.security.FDERecoveryKeyEscrow"


def device_information(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    known = _information(device)
    return {"QueryResponses": {key: known[key] for key in command["Queries"] if key in known}}


def security_info(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    if not device.kind.mac:
        has_passcode = device.state.passcode is not None
        return {
            "SecurityInfo": {
                "HardwareEncryptionCaps": 3,
                "PasscodePresent": has_passcode,
                "PasscodeCompliant": has_passcode,
                "PasscodeCompliantWithProfiles": has_passcode,
                "PasscodeLockGracePeriod": 0,
                "PasscodeLockGracePeriodEnforced": 0,
                "ManagementStatus": {"IsUserEnrollment": False},
            }
        }
    silicon = {
        "BootstrapTokenAllowedForAuthentication": "allowed",
        "BootstrapTokenRequiredForSoftwareUpdate": True,
        "BootstrapTokenRequiredForKernelExtensionApproval": True,
        "IsRecoveryLockEnabled": False,
    }
    return {
        "SecurityInfo": {
            "FDE_Enabled": True,
            "FDE_HasPersonalRecoveryKey": True,
            "FDE_HasInstitutionalRecoveryKey": False,
            "SystemIntegrityProtectionEnabled": True,
            "FirewallSettings": {
                "FirewallEnabled": True,
                "BlockAllIncoming": False,
                "StealthMode": False,
                "Applications": [],
            },
            "FirmwarePasswordStatus": {"PasswordExists": False, "ChangePending": False, "AllowOroms": False},
            "ManagementStatus": {
                "EnrolledViaDEP": device.automatic,
                "UserApprovedEnrollment": True,
                "IsUserEnrollment": False,
                "IsActivationLockManageable": False,
            },
            "SecureBoot": {"SecureBootLevel": "full", "ExternalBootLevel": "not supported"},
            "RemoteDesktopEnabled": device.state.remote_desktop,
            "AuthenticatedRootVolumeEnabled": True,
            **(silicon if device.kind.apple_silicon else {}),
            **_escrowed_key(device),
        }
    }


def _escrowed_key(device: "SimulatedDevice") -> dict[str, Any]:
    """The FileVault key of a Mac, encrypted as a profile says. All simulated disks were encrypted after it came."""
    for profile in device.state.profiles.values():
        payloads = {payload["PayloadUUID"]: payload for payload in profile.get("PayloadContent", [])}
        for payload in payloads.values():
            if payload["PayloadType"] == ESCROW:
                der = payloads[payload["EncryptCertPayloadUUID"]]["PayloadContent"]
                kept, key = device.state.sealed_keys, (der, device.recovery_key)
                if key not in kept:
                    kept[key] = seal_envelope(device.recovery_key.encode(), load_der_x509_certificate(der))
                return {
                    "FDE_PersonalRecoveryKeyCMS": kept[key],
                    "FDE_PersonalRecoveryKeyDeviceKey": payload.get("DeviceKey", device.serial_number),
                }
    return {}


def installed_applications(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    state = {"Installing": False, "HasUpdateAvailable": False}
    if not device.kind.mac:
        state |= {"AppStoreVendable": True, "DeviceBasedVPP": False, "BetaApp": False, "IsValidated": True}
    listed = device.state.apps
    if command.get("ManagedAppsOnly"):
        listed = [app for app in listed if app["Identifier"] in device.state.managed_apps]
    found = [{**app, **state} for app in listed]
    if items := command.get("Items"):
        found = [{key: value for key, value in app.items() if key in items} for app in found]
    return {"InstalledApplicationList": found}


def managed_applications(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    return {
        "ManagedApplicationList": {
            identifier: {
                "Status": status,
                "ManagementFlags": 1,
                "HasConfiguration": False,
                "ExternalVersionIdentifier": 0,
                **({} if device.kind.mac else {"HasFeedback": False, "IsValidated": True}),
            }
            for identifier, status in apps.states(device).items()
        }
    }


def profiles(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    keys = ("PayloadUUID", "PayloadIdentifier", "PayloadVersion", "PayloadDisplayName", "PayloadOrganization")
    parts = ("PayloadType", "PayloadVersion", "PayloadIdentifier", "PayloadUUID", "PayloadDisplayName")
    return {
        "ProfileList": [
            {
                **{key: profile[key] for key in keys if key in profile},
                "PayloadRemovalDisallowed": profile.get("PayloadRemovalDisallowed", False),
                "HasRemovalPasscode": False,
                "IsEncrypted": False,
                **({} if device.kind.mac else {"IsManaged": True}),
                "PayloadContent": [
                    {key: payload[key] for key in parts if key in payload}
                    for payload in profile.get("PayloadContent", [])
                ],
            }
            for profile in device.state.profiles.values()
        ]
    }


def certificates(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    if device.identity is None:
        return {"CertificateList": []}
    data = device.identity.certificate.public_bytes(Encoding.DER)
    return {"CertificateList": [{"CommonName": "device", "IsIdentity": True, "Data": data}]}


def users(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    return {"Users": [dict(user) for user in device.state.users]}


def location(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    return {
        "Latitude": 48.137154,
        "Longitude": 11.576124,
        "HorizontalAccuracy": 12.5,
        "VerticalAccuracy": 8.0,
        "Altitude": 519.0,
        "Speed": -1.0,
        "Course": -1.0,
        "Timestamp": device.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _information(device: "SimulatedDevice") -> dict[str, Any]:
    kind, state = device.kind, device.state
    known: dict[str, Any] = {
        "UDID": device.udid,
        "DeviceName": state.name,
        "SerialNumber": device.serial_number,
        "Model": kind.model,
        "ModelName": kind.model_name,
        "ProductName": kind.product_name,
        "OSVersion": state.os_version,
        "BuildVersion": state.build,
        "SupplementalBuildVersion": state.build,
        "IsSupervised": device.switches.supervised,
        "AwaitingConfiguration": device.awaits_configuration,
        "MDMOptions": {"ActivationLockAllowedWhileSupervised": False},
        "WiFiMAC": device.address(1),
        "BluetoothMAC": device.address(2),
    }
    if kind.family != "tvOS":
        known |= {
            "DeviceCapacity": kind.capacity,
            "AvailableDeviceCapacity": kind.capacity / 2,
            "IsActivationLockEnabled": False,
        }
    if kind.battery:
        known["BatteryLevel"] = 0.83
    if kind.mac:
        known |= {
            "EthernetMAC": device.address(3),
            "HostName": f"{device.serial_number.lower()}.local",
            "LocalHostName": device.serial_number,
            "IsAppleSilicon": kind.apple_silicon,
            "HasBattery": kind.battery,
            "IsActivationLockSupported": True,
            "SystemIntegrityProtectionEnabled": True,
            "SupportsiOSAppInstalls": kind.apple_silicon,
            "PINRequiredForDeviceLock": not kind.apple_silicon,
            "PINRequiredForEraseDevice": not kind.apple_silicon,
        }
    if kind.mobile:
        known |= {
            "IsMultiUser": False,
            "IsMDMLostModeEnabled": state.lost_mode is not None,
            "IsDeviceLocatorServiceEnabled": True,
            "IsCloudBackupEnabled": False,
            "PersonalHotspotEnabled": bool(state.settings.get("PersonalHotspot", False)),
            "DataRoamingEnabled": bool(state.settings.get("DataRoaming", False)),
            "TimeZone": "Europe/Berlin",
        }
    if kind.cellular:
        known |= {"IMEI": f"35 {device.number:06} 12345 1", "CellularTechnology": 1, "IsRoaming": False}
        known |= {"ModemFirmwareVersion": "2.20.03", "VoiceRoamingEnabled": False}
        known["ServiceSubscriptions"] = [
            {
                "Slot": "CTSubscriptionSlotOne",
                "IMEI": known["IMEI"],
                "ICCID": "8949 0000 0000 0000 0001",
                "PhoneNumber": "+4915100000000",
                "CurrentCarrierNetwork": "Telekom.de",
                "IsDataPreferred": True,
                "IsRoaming": False,
                "IsVoicePreferred": True,
                "Label": "Primary",
            }
        ]
    return known
