"""The registry of commands, and the request that each command becomes on each platform that takes it."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from access.models import Tenant
from devices.commands import COMMANDS, CommandRefused
from devices.models import Device, Platform
from tests.contract import PERMISSIONS, RENAMED
from tests.factories.devices import AssignmentFactory, DeviceFactory, LibraryItemFactory

MAC, IPAD, IPHONE, TV = Platform.MAC, Platform.IPAD, Platform.IPHONE, Platform.APPLE_TV
WINDOWS, ANDROID = Platform.WINDOWS, Platform.ANDROID

# A second opinion on the platforms of each command, written from the documentation of the platforms.
TAKEN_BY = {
    "enable_lost_mode": {IPHONE, IPAD},
    "disable_lost_mode": {IPHONE, IPAD},
    "play_lost_mode_sound": {IPHONE, IPAD},
    "update_location": {IPHONE, IPAD},
    "clear_passcode": {IPHONE, IPAD},
    "reset_work_profile_passcode": {ANDROID},
    "delete_user_on_device": {MAC, IPAD},
    "erase_device": {MAC, IPHONE, IPAD, TV, WINDOWS, ANDROID},
    "lock_device": {MAC, IPHONE, IPAD, ANDROID},
    "refresh_cellular_plans": {IPHONE, IPAD},
    "reinstall_agent": {MAC},
    "remote_desktop": {MAC},
    "renew_mdm_profile": {MAC, IPHONE, IPAD, TV},
    "restart_device": {MAC, IPHONE, IPAD, TV, WINDOWS, ANDROID},
    "send_blankpush": {MAC, IPHONE, IPAD, TV},
    "set_device_name": {MAC, IPHONE, IPAD, TV, WINDOWS},
    "toggle_personal_hotspot": {IPHONE, IPAD},
    "toggle_data_roaming": {IPHONE, IPAD},
    "shutdown_device": {MAC, IPHONE, IPAD},
    "update_inventory": {MAC, IPHONE, IPAD, TV, WINDOWS},
    "daily_checkin": {MAC, IPHONE, IPAD, TV, WINDOWS},
    "unlock_account": {MAC},
}


def request(id: str, platform: str, body: dict[str, Any] | None = None, **device: Any) -> Any:
    command = COMMANDS[id]
    parsed = command.body.model_validate(body or {}) if command.body else None
    return command.request(Device(platform=platform, **device), parsed)


def test_every_command_names_the_platforms_that_take_it() -> None:
    assert {id: set(command.platforms) for id, command in COMMANDS.items()} == TAKEN_BY


def test_the_registry_is_every_action_of_the_public_api_in_the_editors_order() -> None:
    public = {codename: row for codename, row in PERMISSIONS.items() if "/action/" in row["path"]}
    assert list(COMMANDS) == list(public)
    for id, command in COMMANDS.items():
        assert command.label == RENAMED.get(public[id]["label"], public[id]["label"])
        assert public[id]["path"].endswith(f"/action/{command.action}")


def test_the_names_of_a_command_fit_into_the_queue() -> None:
    for command in COMMANDS.values():
        assert len(command.id) <= 40
        assert len(command.command_type) <= 60
        assert len(f"Command cancelled: {command.title}") <= 100  # the summary of its audit event


@pytest.mark.parametrize(
    ("id", "platform", "body", "type", "parameters"),
    [
        (
            "enable_lost_mode",
            IPHONE,
            {"Message": " Call us ", "PhoneNumber": "555", "Footnote": None},
            "EnableLostMode",
            {"Message": "Call us", "PhoneNumber": "555"},
        ),
        ("disable_lost_mode", IPAD, None, "DisableLostMode", {}),
        ("play_lost_mode_sound", IPAD, None, "PlayLostModeSound", {}),
        ("update_location", IPAD, None, "DeviceLocation", {}),
        ("clear_passcode", IPHONE, None, "ClearPasscode", {}),
        ("reset_work_profile_passcode", ANDROID, {}, "RESET_PASSWORD", {}),
        (
            "reset_work_profile_passcode",
            ANDROID,
            {"resetPasswordFlags": ["LOCK_NOW"]},
            "RESET_PASSWORD",
            {"resetPasswordFlags": ["LOCK_NOW"]},
        ),
        (
            "delete_user_on_device",
            IPAD,
            {"UserName": "ann", "ForceDeletion": True},
            "DeleteUser",
            {"UserName": "ann", "ForceDeletion": True},
        ),
        ("erase_device", MAC, {"PreserveDataPlan": True}, "EraseDevice", {}),
        ("erase_device", TV, {"ReturnToService": {"Enabled": True, "ProfileId": "x"}}, "EraseDevice", {}),
        ("erase_device", IPHONE, {}, "EraseDevice", {"PreserveDataPlan": True, "DisallowProximitySetup": False}),
        (
            "erase_device",
            IPAD,
            {"PreserveDataPlan": False, "DisallowProximitySetup": True, "ReturnToService": {"Enabled": True}},
            "EraseDevice",
            {"PreserveDataPlan": False, "DisallowProximitySetup": True, "ReturnToService": {"Enabled": True}},
        ),
        (
            "erase_device",
            IPAD,
            {"ReturnToService": {"Enabled": False, "ProfileId": "x"}, "PIN": "not for it"},
            "EraseDevice",
            {"PreserveDataPlan": True, "DisallowProximitySetup": False},
        ),
        ("erase_device", WINDOWS, {}, "RemoteWipe", {"Exec": {"LocURI": "./Device/Vendor/MSFT/RemoteWipe/doWipe"}}),
        (
            "erase_device",
            WINDOWS,
            {"erase_mode": "WIPE_PROTECTED"},
            "RemoteWipe",
            {"Exec": {"LocURI": "./Device/Vendor/MSFT/RemoteWipe/doWipeProtected"}},
        ),
        ("erase_device", ANDROID, {}, "WIPE", {}),
        (
            "erase_device",
            ANDROID,
            {"erase_flags": "WIPE_EXTERNAL_STORAGE, WIPE_ESIMS"},
            "WIPE",
            {"wipeParams": {"wipeDataFlags": ["WIPE_EXTERNAL_STORAGE", "WIPE_ESIMS"]}},
        ),
        ("lock_device", IPHONE, {"Message": "Back soon"}, "DeviceLock", {"Message": "Back soon"}),
        ("lock_device", ANDROID, {"Message": "Back soon"}, "LOCK", {}),
        (
            "refresh_cellular_plans",
            IPHONE,
            {"eSIMServerURL": "https://esim.example"},
            "RefreshCellularPlans",
            {"eSIMServerURL": "https://esim.example"},
        ),
        ("reinstall_agent", MAC, None, "InstallEnterpriseApplication", {}),
        ("remote_desktop", MAC, {"EnableRemoteDesktop": True}, "EnableRemoteDesktop", {}),
        ("remote_desktop", MAC, {"EnableRemoteDesktop": False}, "DisableRemoteDesktop", {}),
        ("renew_mdm_profile", TV, None, "InstallProfile", {}),
        (
            "restart_device",
            MAC,
            {"NotifyUser": True},
            "RestartDevice",
            {"RebuildKernelCache": False, "NotifyUser": True},
        ),
        ("restart_device", TV, {"NotifyUser": True}, "RestartDevice", {}),
        ("restart_device", WINDOWS, {}, "Reboot", {"Exec": {"LocURI": "./Device/Vendor/MSFT/Reboot/RebootNow"}}),
        ("restart_device", ANDROID, {}, "REBOOT", {}),
        ("send_blankpush", MAC, None, "BlankPush", {}),
        (
            "set_device_name",
            MAC,
            {"DeviceName": "Lab 4"},
            "Settings",
            {"Settings": [{"Item": "DeviceName", "DeviceName": "Lab 4"}]},
        ),
        (
            "set_device_name",
            WINDOWS,
            {"DeviceName": "LAB-4"},
            "DevDetail",
            {"Replace": {"LocURI": "./DevDetail/Ext/Microsoft/DNSComputerName", "Data": "LAB-4"}},
        ),
        (
            "toggle_personal_hotspot",
            IPHONE,
            {"Enabled": False},
            "Settings",
            {"Settings": [{"Item": "PersonalHotspot", "Enabled": False}]},
        ),
        (
            "toggle_data_roaming",
            IPAD,
            {"Enabled": True},
            "Settings",
            {"Settings": [{"Item": "DataRoaming", "Enabled": True}]},
        ),
        ("shutdown_device", IPAD, None, "ShutDownDevice", {}),
        ("daily_checkin", WINDOWS, None, "DevDetail", {"Get": {"LocURI": "./DevDetail?list=StructData"}}),
        ("unlock_account", MAC, {"UserName": "ann"}, "UnlockUserAccount", {"UserName": "ann"}),
    ],
)
def test_the_device_receives_this_request(
    id: str, platform: str, body: dict[str, Any] | None, type: str, parameters: dict[str, Any]
) -> None:
    sent = request(id, platform, body)
    assert (sent.type, sent.parameters, sent.secret) == (type, parameters, None)


@pytest.mark.parametrize("id", ["update_inventory", "daily_checkin"])
def test_an_apple_device_is_asked_for_its_facts_by_name(id: str) -> None:
    sent = request(id, MAC)
    assert sent.type == "DeviceInformation"
    assert {"SerialNumber", "OSVersion", "DeviceName"} <= set(sent.parameters["Queries"])


def test_a_secret_is_not_in_parameters_or_repr() -> None:
    for sent, secret in (
        (request("erase_device", MAC, {"PIN": "482913"}), "482913"),
        (request("reset_work_profile_passcode", ANDROID, {"newPassword": " s3cret "}, os_version="13"), " s3cret "),
        (pinned := request("lock_device", MAC, {"Message": "Hello"}), pinned.secret),
    ):
        assert sent.secret == secret
        assert secret not in repr(sent)
        assert secret not in json.dumps(sent.parameters)
    assert "482913" not in repr(COMMANDS["erase_device"].body.model_validate({"PIN": "482913"}))  # type: ignore[union-attr]


def test_a_pin_has_six_digits_and_another_value_each_time() -> None:
    pins = {request("lock_device", MAC).secret for _ in range(50)}
    assert len(pins) > 40
    assert all(len(pin) == 6 and pin.isdecimal() for pin in pins)


@pytest.mark.parametrize(
    ("os_version", "shortest"), [("", 4), ("9", 4), ("13", 4), ("14", 6), ("15.1", 6), ("x", 4), ("9" * 50, 6)]
)
def test_a_work_profiles_passcode_is_long_enough_for_its_android(os_version: str, shortest: int) -> None:
    def ask(length: int) -> Any:
        return request("reset_work_profile_passcode", ANDROID, {"newPassword": "x" * length}, os_version=os_version)

    assert ask(shortest).secret == "x" * shortest
    with pytest.raises(ValidationError) as refused:
        ask(shortest - 1)
    assert refused.value.message_dict == {"newPassword": [f"Ensure this field has at least {shortest} characters."]}


@pytest.mark.parametrize("pin", ["12345", "1234567", "12345a", "", "١٢٣٤٥٦"])
def test_a_mac_is_erased_with_six_digits_or_none(pin: str) -> None:
    with pytest.raises(ValidationError) as refused:
        request("erase_device", MAC, {"PIN": pin})
    assert list(refused.value.message_dict) == ["PIN"]


def test_return_to_service_takes_a_profile_of_the_devices_blueprint(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=IPAD)
    command = COMMANDS["erase_device"]
    assert command.body

    def ask(profile: Any) -> Any:
        body = {"ReturnToService": {"Enabled": True, "ProfileId": str(profile)}}
        return command.request(device, command.body.model_validate(body))  # type: ignore[union-attr]

    profile = LibraryItemFactory.create(tenant=tenant, type="profile")
    app = LibraryItemFactory.create(tenant=tenant, type="custom-app")
    elsewhere = LibraryItemFactory.create(tenant=tenant, type="profile")
    AssignmentFactory.create(blueprint=device.blueprint, library_item=profile)
    AssignmentFactory.create(blueprint=device.blueprint, library_item=app)

    sent = ask(profile.uuid)
    assert sent.parameters["ReturnToService"] == {"Enabled": True, "ProfileId": str(profile.uuid)}
    for other in (app.uuid, elsewhere.uuid, "no-id"):
        with pytest.raises(CommandRefused, match="The specified profile is not in scope for the device"):
            ask(other)
