"""What Apple documents of the requests that this server sends: facts from the schemas of the MDM protocol.

A second opinion on the commands, which say the same in their own way. Families: Macs, iPhones with iPads, Apple TVs.
"""

from typing import Any, NamedTuple

from devices.models import Platform
from tests.devices.mdm.apple_answers import ANSWERS, MAC, PHONE, TV, Key, faults_in

EVERY = frozenset({MAC, PHONE, TV})
FAMILIES = {Platform.MAC: MAC, Platform.IPHONE: PHONE, Platform.IPAD: PHONE, Platform.APPLE_TV: TV}


class Schema(NamedTuple):
    """`supervised` are the families of which only supervised devices take the request."""

    on: frozenset[str]
    keys: dict[str, Key]
    supervised: frozenset[str] = frozenset()


def _on(*families: str) -> frozenset[str]:
    return frozenset(families)


def _keys(type: str, names: str, *families: str, required: bool = False) -> dict[str, Key]:
    return {name: Key(type, frozenset(families) or EVERY, required) for name in names.split()}


# The facts that a device may be asked for are those that it answers.
FACTS = ANSWERS["DeviceInformation"].keys["QueryResponses"].keys
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
    "Enabled": Key("flag", EVERY, required=True),
    "WiFiProfileData": Key("data", EVERY),
    "MDMProfileData": Key("data", EVERY),
    # Since iOS 26: newer than the schemas from which this table was made.
    "BootstrapToken": Key("data", EVERY),
}
SCHEMAS: dict[str, Schema] = {
    "DeviceInformation": Schema(EVERY, {"Queries": Key("list", EVERY, required=True)}),
    "SecurityInfo": Schema(EVERY, {}),
    "InstalledApplicationList": Schema(
        EVERY,
        {**_keys("list", "Identifiers"), **_keys("flag", "ManagedAppsOnly"), **_keys("list", "Items", PHONE, TV)},
    ),
    "ProfileList": Schema(EVERY, _keys("flag", "ManagedOnly")),
    "CertificateList": Schema(EVERY, _keys("flag", "ManagedOnly")),
    # Of iPhones and iPads, only a Shared iPad takes it.
    "UserList": Schema(_on(MAC, PHONE), {}, supervised=_on(MAC)),
    "ManagedApplicationList": Schema(EVERY, _keys("list", "Identifiers")),
    "ActivationLockBypassCode": Schema(_on(MAC, PHONE), {}, supervised=_on(MAC, PHONE)),
    "DeclarativeManagement": Schema(EVERY, _keys("data", "Data")),
    "ClearPasscode": Schema(_on(PHONE), _keys("data", "UnlockToken", required=True)),
    "DeleteUser": Schema(
        _on(MAC, PHONE),
        {**_keys("text", "UserName"), **_keys("flag", "ForceDeletion DeleteAllUsers", PHONE)},
        supervised=_on(MAC),
    ),
    # A Mac has to be one that Apple assigned.
    "DeviceConfigured": Schema(EVERY, {}, supervised=_on(PHONE, TV)),
    "DeviceLocation": Schema(
        _on(PHONE),
        {},
        supervised=_on(PHONE),
    ),
    "DeviceLock": Schema(
        _on(MAC, PHONE),
        {**_keys("text", "Message PhoneNumber"), **_keys("text", "PIN", MAC)},
    ),
    "DisableLostMode": Schema(_on(PHONE), {}, supervised=_on(PHONE)),
    "EnableLostMode": Schema(_on(PHONE), _keys("text", "Message PhoneNumber Footnote"), supervised=_on(PHONE)),
    "EnableRemoteDesktop": Schema(_on(MAC), {}, supervised=_on(MAC)),
    "DisableRemoteDesktop": Schema(_on(MAC), {}, supervised=_on(MAC)),
    "EraseDevice": Schema(
        EVERY,
        {
            **_keys("flag", "PreserveDataPlan DisallowProximitySetup", PHONE),
            **_keys("text", "PIN ObliterationBehavior", MAC),
            "ReturnToService": Key("dict", _on(PHONE, TV), keys=RETURN_TO_SERVICE),
        },
    ),
    "InstallApplication": Schema(
        EVERY,
        {
            **_keys("integer", "iTunesStoreID ManagementFlags"),
            **_keys("text", "Identifier ManifestURL ChangeManagementState"),
            **_keys("dict", "Options Configuration"),
            **_keys("dict", "Attributes", PHONE, TV),
            **_keys("flag", "InstallAsManaged iOSApp", MAC),
        },
    ),
    "InstallEnterpriseApplication": Schema(
        _on(MAC),
        {
            **_keys("text", "ManifestURL ChangeManagementState", MAC),
            **_keys("dict", "Manifest Configuration", MAC),
            **_keys("list", "ManifestURLPinningCerts", MAC),
            **_keys("integer", "ManagementFlags", MAC),
            **_keys("flag", "PinningRevocationCheckRequired InstallAsManaged iOSApp", MAC),
        },
    ),
    "RemoveApplication": Schema(EVERY, _keys("text", "Identifier", required=True)),
    "InstallProfile": Schema(EVERY, _keys("data", "Payload", required=True)),
    "RemoveProfile": Schema(EVERY, _keys("text", "Identifier", required=True)),
    "PlayLostModeSound": Schema(_on(PHONE), {}, supervised=_on(PHONE)),
    "RefreshCellularPlans": Schema(_on(PHONE), _keys("text", "eSIMServerURL", required=True)),
    "RestartDevice": Schema(
        EVERY,
        {**_keys("flag", "RebuildKernelCache NotifyUser", MAC), **_keys("list", "KextPaths", MAC)},
        supervised=_on(PHONE, TV),
    ),
    "Settings": Schema(EVERY, {"Settings": Key("list", EVERY, required=True)}),
    "ShutDownDevice": Schema(_on(MAC, PHONE), {}, supervised=_on(PHONE)),
    "UnlockUserAccount": Schema(_on(MAC), _keys("text", "UserName", required=True)),
}


def faults(request: dict[str, Any], platform: Platform) -> list[str]:
    """What a request, as it is delivered, has against Apple's documentation."""
    type, parameters = request["RequestType"], {key: value for key, value in request.items() if key != "RequestType"}
    family, schema = FAMILIES[platform], SCHEMAS.get(type)
    if schema is None:
        return [f"{type} is no request"]
    found = [] if family in schema.on else [f"{type} is not for {platform}"]
    found += faults_in(type, parameters, schema.keys, frozenset({family}))
    match type:
        case "DeviceInformation":
            found += [f"{name} is no fact of {platform}" for name in parameters["Queries"] if not _known(name, family)]
        case "InstalledApplicationList":
            found += [f"{name} is no item" for name in parameters.get("Items", ()) if name not in APP_ITEMS]
        case "Settings":
            for item in parameters["Settings"]:
                families, keys = SETTINGS[item["Item"]]
                found += [] if family in families else [f"{item['Item']} is not for {platform}"]
                found += faults_in(item["Item"], item, keys, frozenset({family}))
    return found


def _known(name: str, family: str) -> bool:
    return name in FACTS and family in FACTS[name].on
