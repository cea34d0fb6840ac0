"""What a simulated device does when a command tells it to, and how it refuses."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from devices.mdm.simulator import apps, enrolling, facts, packages
from devices.mdm.simulator.refusing import PROFILE_ERRORS, CommandError
from devices.wire.errors import Malformed

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

UNKNOWN_COMMAND, NOT_INSTALLED, MALFORMED_PROFILE, WRONG_TOKEN, NOT_LOST, NO_USER = (
    12021,
    12075,
    4001,
    12005,
    12067,
    12063,
)

MAC, IOS, TV = "macOS", "iOS", "tvOS"
ALL = frozenset({MAC, IOS, TV})

type Deed = Callable[["SimulatedDevice", dict[str, Any]], dict[str, Any]]


def carry_out(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    """Do what the command says, and return the keys of the answer. Raises CommandError."""
    kind = command["RequestType"]
    families, deed = DEEDS.get(kind, (frozenset(), None))
    if deed is None or device.kind.family not in families:
        raise CommandError(UNKNOWN_COMMAND, f"“{kind}” is not a valid request type.")
    answer = deed(device, command)
    device.state.done.append(kind)
    return answer


def _install_profile(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    try:
        content = enrolling.read_signed(command["Payload"])
    except (Malformed, enrolling.NotEnrolled) as error:
        raise CommandError(MALFORMED_PROFILE, str(error), PROFILE_ERRORS) from None
    if (fresh := enrolling.enrollment_profile(content)) is not None:
        device.replace_enrollment(fresh)
    _check_escrow(device, content)
    device.state.profiles[content["PayloadIdentifier"]] = content
    return {}


def _check_escrow(device: "SimulatedDevice", content: dict[str, Any]) -> None:
    """The escrow of FileVault keys is for Macs, names a certificate, and is in one profile. Raises CommandError."""
    payloads = content["PayloadContent"]
    escrows = [payload for payload in payloads if payload["PayloadType"] == facts.ESCROW]
    if not escrows:
        return
    certificates = {each["PayloadUUID"] for each in payloads if each["PayloadType"] == "com.apple.security.pkcs1"}
    others = (each for name, each in device.state.profiles.items() if name != content["PayloadIdentifier"])
    installed = [part for each in others for part in each.get("PayloadContent", [])]
    if (
        not device.kind.mac
        or len(escrows) > 1
        or not escrows[0].get("Location")
        or escrows[0].get("EncryptCertPayloadUUID") not in certificates
        or content.get("PayloadScope") != "System"
        or any(part["PayloadType"] == facts.ESCROW for part in installed)
    ):
        raise CommandError(MALFORMED_PROFILE, "The escrow of FileVault keys cannot be installed.", PROFILE_ERRORS)


def _remove_profile(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    identifier = command["Identifier"]
    if identifier not in device.state.profiles:
        raise CommandError(NOT_INSTALLED, f"The profile “{identifier}” is not installed.")
    if device.profile and identifier == device.profile.identifier:
        device.leaves = True  # after the answer
    else:
        del device.state.profiles[identifier]
    return {}


def _lock(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    device.state.lock_texts = {key: command[key] for key in ("Message", "PhoneNumber") if key in command}
    if device.kind.mac:
        device.state.pin = command.get("PIN")
    else:
        device.state.passcode_asleep = device.state.passcode is not None
    return {} if device.kind.mac else {"MessageResult": "Success"}


def _erase(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    device.erases = command
    return {}


def _clear_passcode(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    if command.get("UnlockToken") != device.unlock_token:
        raise CommandError(WRONG_TOKEN, "The unlock token is wrong.")
    device.state.passcode, device.state.passcode_asleep = None, False
    return {}


def _enable_lost_mode(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    texts = {key: command[key] for key in ("Message", "PhoneNumber", "Footnote") if command.get(key)}
    if not texts.keys() & {"Message", "PhoneNumber"}:
        raise CommandError(12078, "A message or a phone number is required.")
    device.state.lost_mode = texts
    return {}


def _disable_lost_mode(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    _require_lost_mode(device)
    device.state.lost_mode = None
    return {}


def _locate(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    _require_lost_mode(device)
    return facts.location(device, command)


def _play_sound(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    _require_lost_mode(device)
    return {}


def _require_lost_mode(device: "SimulatedDevice") -> None:
    if device.state.lost_mode is None:
        raise CommandError(NOT_LOST, "The device is not in Lost Mode.")


def _settings(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    answers = []
    for item in command["Settings"]:
        name = item["Item"]
        if name == "DeviceName":
            device.state.name = item["DeviceName"]
        elif name in {"DataRoaming", "PersonalHotspot"} and not device.kind.cellular:
            error = CommandError(12087, f"The device does not support the setting {name}.")
            answers.append({"Item": name, "Status": "Error", "ErrorChain": error.chain})
            continue
        else:
            device.state.settings[name] = item.get("Enabled", item)
        answers.append({"Item": name, "Status": "Acknowledged"})
    return {"Settings": answers}


def _delete_user(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    if device.kind.mac and command.keys() & {"ForceDeletion", "DeleteAllUsers"}:
        raise CommandError(NO_USER, "A Mac has no such parameter.")
    names = {user["UserName"] for user in device.state.users}
    if command.get("UserName") not in names:
        raise CommandError(NO_USER, "The user does not exist.")
    device.state.users = [user for user in device.state.users if user["UserName"] != command["UserName"]]
    return {}


def _unlock_user(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    if command.get("UserName") not in {user["UserName"] for user in device.state.users}:
        raise CommandError(NO_USER, "The user does not exist.")
    return {}


def _remote_desktop(on: bool) -> Deed:
    def switch(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
        device.state.remote_desktop = on
        return {}

    return switch


def _configured(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    device.state.configured = True
    return {}


def _declarations(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    device.state.declared.turn_on()
    return {}


def _nothing(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    return {}


def _bypass_code(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    return {"ActivationLockBypassCode": f"{device.number:05}-SIMUL-ATED0-0000-0000-0000"}


# By RequestType: the systems that know it, and what it does.
DEEDS: dict[str, tuple[frozenset[str], Deed]] = {
    "DeviceInformation": (ALL, facts.device_information),
    "SecurityInfo": (ALL, facts.security_info),
    "InstalledApplicationList": (ALL, facts.installed_applications),
    "ManagedApplicationList": (ALL, facts.managed_applications),
    "ProfileList": (ALL, facts.profiles),
    "CertificateList": (ALL, facts.certificates),
    "UserList": (frozenset({MAC}), facts.users),
    "ActivationLockBypassCode": (frozenset({MAC, IOS}), _bypass_code),
    "InstallProfile": (ALL, _install_profile),
    "RemoveProfile": (ALL, _remove_profile),
    "InstallApplication": (ALL, apps.install),
    "RemoveApplication": (ALL, apps.remove),
    "InstallEnterpriseApplication": (frozenset({MAC}), packages.install),
    "DeviceLock": (frozenset({MAC, IOS}), _lock),
    "EraseDevice": (ALL, _erase),
    "ClearPasscode": (frozenset({IOS}), _clear_passcode),
    "EnableLostMode": (frozenset({IOS}), _enable_lost_mode),
    "DisableLostMode": (frozenset({IOS}), _disable_lost_mode),
    "DeviceLocation": (frozenset({IOS}), _locate),
    "PlayLostModeSound": (frozenset({IOS}), _play_sound),
    "RestartDevice": (ALL, _nothing),
    "ShutDownDevice": (frozenset({MAC, IOS}), _nothing),
    "Settings": (ALL, _settings),
    "DeleteUser": (frozenset({MAC, IOS}), _delete_user),
    "UnlockUserAccount": (frozenset({MAC}), _unlock_user),
    "EnableRemoteDesktop": (frozenset({MAC}), _remote_desktop(True)),
    "DisableRemoteDesktop": (frozenset({MAC}), _remote_desktop(False)),
    "RefreshCellularPlans": (frozenset({IOS}), _nothing),
    "DeviceConfigured": (ALL, _configured),
    "AccountConfiguration": (frozenset({MAC}), _nothing),
    "SetRecoveryLock": (frozenset({MAC}), _nothing),
    "RotateFileVaultKey": (frozenset({MAC}), _nothing),
    "DeclarativeManagement": (ALL, _declarations),
}
