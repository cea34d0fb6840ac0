"""What Apple documents of the requests that this server sends: facts from the schemas of the MDM protocol.

A second opinion on the commands, which say the same in their own way. Families: Macs, iPhones with iPads, Apple TVs.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from devices.models import Platform

MAC, PHONE, TV = "mac", "phone", "tv"
EVERY = frozenset({MAC, PHONE, TV})
FAMILIES = {Platform.MAC: MAC, Platform.IPHONE: PHONE, Platform.IPAD: PHONE, Platform.APPLE_TV: TV}
TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "flag": bool,
    "integer": int,
    "real": (float, int),
    "data": bytes,
    "date": datetime,
    "list": list,
    "dict": dict,
}


class Key(NamedTuple):
    """`only` are the values that Apple names, if it names them all."""

    type: str
    on: frozenset[str] = EVERY
    required: bool = False
    only: frozenset[Any] = frozenset()


class Schema(NamedTuple):
    """`supervised` are the families of which only supervised devices take the request."""

    on: frozenset[str]
    keys: dict[str, Key]
    answer: dict[str, Key]
    supervised: frozenset[str] = frozenset()


def _on(*families: str) -> frozenset[str]:
    return frozenset(families)


def _keys(type: str, names: str, *families: str, required: bool = False) -> dict[str, Key]:
    return {name: Key(type, frozenset(families) or EVERY, required) for name in names.split()}


# The facts that a device may be asked for, with the types of the answers.
FACTS: dict[str, Key] = {
    **_keys("text", "UDID DeviceName OSVersion SupplementalOSVersionExtra BuildVersion SupplementalBuildVersion"),
    **_keys("text", "ModelName Model ModelNumber ProductName SerialNumber BluetoothMAC WiFiMAC"),
    **_keys("dict", "MDMOptions OrganizationInfo"),
    **_keys("flag", "IsSupervised AwaitingConfiguration iTunesStoreAccountIsActive"),
    **_keys("real", "DeviceCapacity AvailableDeviceCapacity BatteryLevel", MAC, PHONE),
    **_keys("flag", "IsActivationLockEnabled", MAC, PHONE),
    **_keys("text", "IMEI MEID ModemFirmwareVersion", PHONE),
    **_keys("integer", "CellularTechnology", PHONE),
    **_keys("flag", "IsDeviceLocatorServiceEnabled IsMDMLostModeEnabled IsMultiUser DataRoamingEnabled", PHONE),
    **_keys("flag", "VoiceRoamingEnabled PersonalHotspotEnabled", PHONE),
    **_keys("list", "ServiceSubscriptions", PHONE),
    **_keys("text", "EthernetMAC HostName LocalHostName", MAC),
    **_keys("flag", "IsAppleSilicon HasBattery IsActivationLockSupported SystemIntegrityProtectionEnabled", MAC),
}
APP_ITEMS = frozenset(
    _keys(
        "text",
        "AdHocCodeSigned AppStoreVendable BetaApp BundleSize DeviceBasedVPP DistributorIdentifier DynamicSize "
        "ExternalVersionIdentifier HasUpdateAvailable Identifier Installing IsAppClip IsValidated Name ShortVersion "
        "Version",
    )
)
# The items of Settings that are sent from here.
SETTINGS: dict[str, tuple[frozenset[str], dict[str, Key]]] = {
    "DeviceName": (EVERY, _keys("text", "Item DeviceName", required=True)),
    "DataRoaming": (
        _on(PHONE),
        {**_keys("text", "Item", required=True), **_keys("flag", "Enabled", required=True)},
    ),
    "PersonalHotspot": (
        _on(PHONE),
        {**_keys("text", "Item", required=True), **_keys("flag", "Enabled", required=True)},
    ),
}
RETURN_TO_SERVICE = {
    "Enabled": Key("flag", required=True),
    "WiFiProfileData": Key("data"),
    "MDMProfileData": Key("data"),
    # Newer than the schemas from which this table was made.
    "BootstrapToken": Key("data"),
}
SCHEMAS: dict[str, Schema] = {
    "DeviceInformation": Schema(EVERY, {"Queries": Key("list", required=True)}, {"QueryResponses": Key("dict")}),
    "SecurityInfo": Schema(EVERY, {}, {"SecurityInfo": Key("dict", required=True)}),
    "InstalledApplicationList": Schema(
        EVERY,
        {**_keys("list", "Identifiers"), **_keys("flag", "ManagedAppsOnly"), **_keys("list", "Items", PHONE, TV)},
        {"InstalledApplicationList": Key("list", required=True)},
    ),
    "ProfileList": Schema(EVERY, _keys("flag", "ManagedOnly"), {"ProfileList": Key("list", required=True)}),
    "CertificateList": Schema(EVERY, _keys("flag", "ManagedOnly"), {"CertificateList": Key("list", required=True)}),
    # Of iPhones and iPads, only a Shared iPad takes it.
    "UserList": Schema(_on(MAC, PHONE), {}, {"Users": Key("list", required=True)}, supervised=_on(MAC)),
    "ManagedApplicationList": Schema(
        EVERY, _keys("list", "Identifiers"), {"ManagedApplicationList": Key("dict", required=True)}
    ),
    "ActivationLockBypassCode": Schema(
        _on(MAC, PHONE), {}, {"ActivationLockBypassCode": Key("text", required=True)}, supervised=_on(MAC, PHONE)
    ),
    "ClearPasscode": Schema(_on(PHONE), _keys("data", "UnlockToken", required=True), {}),
    "DeleteUser": Schema(
        _on(MAC, PHONE),
        {**_keys("text", "UserName"), **_keys("flag", "ForceDeletion DeleteAllUsers", PHONE)},
        {},
        supervised=_on(MAC),
    ),
    "DeviceLocation": Schema(
        _on(PHONE),
        {},
        {**_keys("real", "Latitude Longitude", required=True), **_keys("text", "Timestamp")},
        supervised=_on(PHONE),
    ),
    "DeviceLock": Schema(
        _on(MAC, PHONE),
        {**_keys("text", "Message PhoneNumber"), **_keys("text", "PIN", MAC)},
        {"MessageResult": Key("text")},
    ),
    "DisableLostMode": Schema(_on(PHONE), {}, {}, supervised=_on(PHONE)),
    "EnableLostMode": Schema(_on(PHONE), _keys("text", "Message PhoneNumber Footnote"), {}, supervised=_on(PHONE)),
    "EnableRemoteDesktop": Schema(_on(MAC), {}, {}, supervised=_on(MAC)),
    "DisableRemoteDesktop": Schema(_on(MAC), {}, {}, supervised=_on(MAC)),
    "EraseDevice": Schema(
        EVERY,
        {
            **_keys("flag", "PreserveDataPlan DisallowProximitySetup", PHONE),
            **_keys("text", "PIN ObliterationBehavior", MAC),
            **_keys("dict", "ReturnToService", PHONE, TV),
        },
        {},
    ),
    "InstallProfile": Schema(EVERY, _keys("data", "Payload", required=True), {}),
    "PlayLostModeSound": Schema(_on(PHONE), {}, {}, supervised=_on(PHONE)),
    "RefreshCellularPlans": Schema(_on(PHONE), _keys("text", "eSIMServerURL", required=True), {}),
    "RestartDevice": Schema(
        EVERY,
        {**_keys("flag", "RebuildKernelCache NotifyUser", MAC), **_keys("list", "KextPaths", MAC)},
        {},
        supervised=_on(PHONE, TV),
    ),
    "Settings": Schema(EVERY, {"Settings": Key("list", required=True)}, {}),
    "ShutDownDevice": Schema(_on(MAC, PHONE), {}, {}, supervised=_on(PHONE)),
    "UnlockUserAccount": Schema(_on(MAC), _keys("text", "UserName", required=True), {}),
}


def faults(request: dict[str, Any], platform: Platform) -> list[str]:
    """What a request, as it is delivered, has against Apple's documentation."""
    type, parameters = request["RequestType"], {key: value for key, value in request.items() if key != "RequestType"}
    family, schema = FAMILIES[platform], SCHEMAS.get(type)
    if schema is None:
        return [f"{type} is no request"]
    found = [] if family in schema.on else [f"{type} is not for {platform}"]
    found += _faults(type, parameters, schema.keys, family)
    match type:
        case "DeviceInformation":
            found += [f"{name} is no fact of {platform}" for name in parameters["Queries"] if not _known(name, family)]
        case "InstalledApplicationList":
            found += [f"{name} is no item" for name in parameters.get("Items", ()) if name not in APP_ITEMS]
        case "Settings":
            for item in parameters["Settings"]:
                families, keys = SETTINGS[item["Item"]]
                found += [] if family in families else [f"{item['Item']} is not for {platform}"]
                found += _faults(item["Item"], item, keys, family)
        case "EraseDevice" if "ReturnToService" in parameters:
            found += _faults("ReturnToService", parameters["ReturnToService"], RETURN_TO_SERVICE, family)
    return found


def _known(name: str, family: str) -> bool:
    return name in FACTS and family in FACTS[name].on


def _faults(place: str, given: dict[str, Any], keys: dict[str, Key], family: str) -> Iterator[str]:
    for name, value in given.items():
        key = keys.get(name)
        if key is None:
            yield f"{place} has no {name}"
        elif family not in key.on:
            yield f"{name} of {place} is not for {family}"
        elif not isinstance(value, TYPES[key.type]) or (key.type != "flag" and isinstance(value, bool)):
            yield f"{name} of {place} is no {key.type}"
    for name, key in keys.items():
        if key.required and name not in given:
            yield f"{place} lacks {name}"
