"""DeviceInformation: what a device is asked for, and where its answers go."""

from typing import Any

from devices.fleet.facts import english
from devices.inventory.answers import Answer, flag, given, integer, number, rows, section, text
from devices.inventory.reports import Report, store_answer
from devices.models import MACS, MOBILE, Device, DeviceInventory, Platform

_EVERY = (
    "UDID",
    "DeviceName",
    "SerialNumber",
    "Model",
    "ModelName",
    "ProductName",
    "OSVersion",
    "SupplementalOSVersionExtra",
    "BuildVersion",
    "SupplementalBuildVersion",
    "IsSupervised",
    "MDMOptions",
    "WiFiMAC",
    "BluetoothMAC",
)
_STORAGE = ("DeviceCapacity", "AvailableDeviceCapacity", "BatteryLevel")
_MOBILE = (
    *_STORAGE,
    "IsActivationLockEnabled",
    "IsDeviceLocatorServiceEnabled",
    "IsMDMLostModeEnabled",
    "IsMultiUser",
    "CellularTechnology",
    "ModemFirmwareVersion",
    "IMEI",
    "MEID",
    "DataRoamingEnabled",
    "VoiceRoamingEnabled",
    "PersonalHotspotEnabled",
    "ServiceSubscriptions",
)
QUERIES: dict[str, tuple[str, ...]] = {
    Platform.MAC: (
        *_EVERY,
        *_STORAGE,
        "EthernetMAC",
        "HostName",
        "LocalHostName",
        "IsAppleSilicon",
        "HasBattery",
        "IsActivationLockEnabled",
        "IsActivationLockSupported",
        "SystemIntegrityProtectionEnabled",
    ),
    Platform.IPHONE: (*_EVERY, *_MOBILE),
    Platform.IPAD: (*_EVERY, *_MOBILE),
    Platform.APPLE_TV: _EVERY,
}
_DERIVED = frozenset({"device_information", "activation_lock"})


def store_information(device: Device, answer: Answer) -> bool:
    """Store the answer of a locked device to DeviceInformation. Returns whether it is that of the last time."""
    said = section(answer, "QueryResponses")
    return bool(said) and store_answer(
        device,
        "device_information",
        said,
        lambda: Report(details=_details(device, said), prism=_prism(device, said), derived=_DERIVED),
        facts=_facts(said),
    )


def is_supervised(device: Device, answer: Answer | None = None) -> bool:
    """Whether the device says so, or said so when it last did. `answer` is to DeviceInformation, and stored."""
    supervised = flag(section(answer or {}, "QueryResponses"), "IsSupervised")
    if supervised is not None:
        return supervised
    return supervision(device) is True


def supervision(device: Device) -> bool | None:
    """Whether the device said that it is supervised; None if it has not said anything yet. Costs one query."""
    mdm = DeviceInventory.objects.filter(device=device).values_list("details__mdm", flat=True).first()
    said = mdm.get("supervised") if isinstance(mdm, dict) else None
    return None if said is None else said == "True"


def _facts(said: Answer) -> dict[str, Any]:
    return given(
        name=text(said, "DeviceName"),
        model=text(said, "ModelName"),
        serial_number=text(said, "SerialNumber"),
        os_version=text(said, "OSVersion"),
        supplemental_build_version=text(said, "SupplementalBuildVersion") or text(said, "BuildVersion"),
        supplemental_os_version_extra=text(said, "SupplementalOSVersionExtra"),
        mac_address=text(said, "WiFiMAC") or text(said, "EthernetMAC"),
        is_missing=False,
    )


def _details(device: Device, said: Answer) -> dict[str, Any]:
    is_mac = device.platform in MACS
    version, build = text(said, "OSVersion", most=50), text(said, "BuildVersion", most=50)
    supervised, udid = flag(said, "IsSupervised"), text(said, "UDID", most=100)
    return {
        "general": given(system_version=f"macOS {version} ({build})" if is_mac and version and build else None),
        "mdm": given(supervised=None if supervised is None else english(supervised)),
        "activation_lock": given(
            user_activation_lock_enabled=flag(said, "IsActivationLockEnabled"),
            activation_lock_supported=flag(said, "IsActivationLockSupported"),
            activation_lock_allowed_while_supervised=flag(
                section(said, "MDMOptions"), "ActivationLockAllowedWhileSupervised"
            ),
        ),
        "hardware_overview": given(
            model_identifier=text(said, "ProductName", most=100),
            model_name=text(said, "ModelName"),
            udid=udid,
            uuid=udid,
        ),
        "network": given(local_hostname=text(said, "LocalHostName")),
        "cellular": _cellular(said) if device.platform in MOBILE else {},
        "volumes": _volumes(said),
    }


def _cellular(said: Answer) -> dict[str, Any]:
    """Only what a device with a modem says: an iPad without one reports 0, and then it has no section."""
    technology = integer(said, "CellularTechnology")
    if not technology:
        return {}
    return given(
        cellular_technology=technology,
        data_roaming=flag(said, "DataRoamingEnabled"),
        voice_roaming=flag(said, "VoiceRoamingEnabled"),
    )


def _volumes(said: Answer) -> list[dict[str, str]] | None:
    """The disk that the system is on."""
    capacity, available = number(said, "DeviceCapacity"), number(said, "AvailableDeviceCapacity")
    if not capacity or available is None or available > capacity:
        return None
    size = {
        "percent_used": f"{round(100 * (1 - available / capacity))}%",
        "capacity": f"{capacity:.2f} GB",
        "available": f"{available:.2f} GB",
    }
    return [size]


def _prism(device: Device, said: Answer) -> dict[str, list[dict[str, Any]]]:
    information = given(
        host_name=text(said, "HostName"),
        apple_silicon=flag(said, "IsAppleSilicon"),
        shared_ipad=flag(said, "IsMultiUser") if device.platform == Platform.IPAD else None,
        hotspot=flag(said, "PersonalHotspotEnabled"),
    )
    found = {"device_information": [information]}
    if integer(said, "CellularTechnology") in {1, 2, 3}:
        found["cellular"] = [_lines(said)]
    return found


_TECHNOLOGIES = {1: "GSM", 2: "CDMA", 3: "Both"}


def _lines(said: Answer) -> dict[str, Any]:
    row = given(
        cellular_technology=_TECHNOLOGIES.get(integer(said, "CellularTechnology") or 0),
        data_roaming_enabled=flag(said, "DataRoamingEnabled"),
        voice_roaming_enabled=flag(said, "VoiceRoamingEnabled"),
        personal_hotspot_enabled=flag(said, "PersonalHotspotEnabled"),
        modem_firmware_version=text(said, "ModemFirmwareVersion"),
        meid=text(said, "MEID"),
    )
    lines = sorted(
        rows(said, "ServiceSubscriptions") or [], key=lambda line: (text(line, "Slot") or "").endswith("Two")
    )
    for name, line in zip(("slot_1", "slot_2"), lines, strict=False):
        row |= given(
            **{
                name: text(line, "Slot"),
                f"imei_{name}": text(line, "IMEI"),
                f"iccid_{name}": text(line, "ICCID"),
                f"eid_{name}": text(line, "EID"),
                f"label_{name}": text(line, "Label"),
                f"label_id_{name}": text(line, "LabelID"),
                f"phone_number_{name}": text(line, "PhoneNumber"),
                f"current_carrier_network_{name}": text(line, "CurrentCarrierNetwork"),
                f"subscriber_carrier_network_{name}": text(line, "SubscriberCarrierNetwork"),
                f"carrier_settings_version_{name}": text(line, "CarrierSettingsVersion"),
                f"current_mcc_{name}": text(line, "CurrentMCC"),
                f"current_mnc_{name}": text(line, "CurrentMNC"),
                f"is_data_preferred_{name}": flag(line, "IsDataPreferred"),
                f"is_voice_preferred_{name}": flag(line, "IsVoicePreferred"),
                f"is_roaming_{name}": flag(line, "IsRoaming"),
            }
        )
    if "imei_slot_1" not in row:
        row |= given(imei_slot_1=text(said, "IMEI"))
    return row
