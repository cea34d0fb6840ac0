"""Every message of every kind of simulated device, and every key that is read here, against what Apple documents."""

import plistlib
from typing import Any

import pytest
from cryptography import x509

from access.models import Tenant
from devices.commands import EVERY_COMMAND
from devices.mdm.simulator.deeds import DEEDS
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.enrolling import EnrollmentProfile, Identity
from devices.mdm.simulator.kinds import KINDS
from devices.mdm.simulator.transports import Answer
from devices.models import APPLE, DeviceCommand, Platform
from devices.wire.scep_client import self_signed
from tests.devices.commands.delivering import NEVER_DELIVERED, SENT, delivered
from tests.devices.mdm.apple_answers import (
    ANSWERS,
    MAC,
    PHONE,
    SILICON,
    TV,
    Key,
    answer_faults,
    check_in_faults,
    sample,
)
from tests.devices.mdm.conftest import KEYS
from tests.factories.devices import DeviceFactory

# By the name of a simulated kind: its platform, and the letters of its facts.
WHO = {
    "mac": (Platform.MAC, frozenset({MAC, SILICON})),
    "mac_26": (Platform.MAC, frozenset({MAC, SILICON})),
    "intel_mac": (Platform.MAC, frozenset({MAC})),
    "iphone": (Platform.IPHONE, frozenset({PHONE})),
    "ipad": (Platform.IPAD, frozenset({PHONE})),
    "apple_tv": (Platform.APPLE_TV, frozenset({TV})),
}
PROFILE = plistlib.dumps({"PayloadIdentifier": "com.example.wifi", "PayloadContent": []})
ASSET = {"kind": "software-package", "url": "http://mdm/files/f", "sha256s": ["5e" * 32], "sha256-size": 1000}
METADATA = {"kind": "software", "bundle-identifier": "com.example.app", "bundle-version": "1.0", "title": "App"}
MANIFEST = plistlib.dumps({"items": [{"assets": [ASSET], "metadata": METADATA}]})
# What no command of this server sends yet, and simulated devices know.
MORE: dict[str, dict[str, Any]] = {
    "InstallProfile": {"Payload": PROFILE},
    "InstallEnterpriseApplication": {"ManifestURL": "http://mdm/files/m"},
    "RemoveProfile": {"Identifier": "com.example.wifi"},
    "InstallApplication": {"Identifier": "com.example.app"},
    "RemoveApplication": {"Identifier": "com.example.app"},
    "DeviceConfigured": {},
    "AccountConfiguration": {},
    "SetRecoveryLock": {},
    "RotateFileVaultKey": {},
    "DeclarativeManagement": {"Data": b"{}"},
}


class Observed:
    """A simulated device that is enrolled, and the messages that it sends."""

    def __init__(self, kind: str) -> None:
        self.sent: list[dict[str, Any]] = []
        self.kinds = WHO[kind][1]
        self.device = SimulatedDevice(KINDS[kind], 1, transport=self._transport, keys=KEYS)
        identity = self_signed(KEYS(2048), x509.Name([]))
        mdm = {"ServerURL": "http://mdm/connect", "CheckInURL": "http://mdm/check-in", "Topic": "com.apple.mgmt.x"}
        content = {
            "PayloadIdentifier": "com.example.mdm",
            "PayloadUUID": "A",
            "PayloadContent": [
                {"PayloadType": "com.apple.mdm", "PayloadVersion": 1, "PayloadIdentifier": "m", "PayloadUUID": "B"}
            ],
        }
        self.device.profile = EnrollmentProfile(content, mdm, {})
        self.device.identity = Identity(identity.certificate, identity.key)
        self.device.state.profiles["com.example.mdm"] = content
        self.device.state.managed_apps["com.example.app"] = "Managed"

    def answers(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        self.device.respond({"CommandUUID": "C", "Command": request})
        return self.sent[0]

    def _transport(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if method == "GET":
            return Answer(200, {}, MANIFEST)
        self.sent.append(plistlib.loads(body))
        return Answer(200, {}, b"")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "id", "body"),
    [
        pytest.param(kind, *case.values[::2], id=f"{kind}-{case.id}")
        for kind, (platform, _) in WHO.items()
        for case in SENT
        if case.values[1] == platform
    ],
)
def test_the_answer_to_each_command(
    kind: str, id: str, body: dict[str, Any], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = DeviceFactory.create(tenant=tenant, platform=WHO[kind][0], os_version="18.1")
    request = delivered(row, id, body, monkeypatch)
    observed = Observed(kind)
    monkeypatch.setattr(type(observed.device), "unlock_token", request.get("UnlockToken"))
    if request["RequestType"] == "InstallProfile":
        request |= {"Payload": PROFILE}
    if request["RequestType"] in {"DisableLostMode", "DeviceLocation", "PlayLostModeSound"}:
        observed.device.state.lost_mode = {"Message": "Lost"}
    request.get("ReturnToService", {}).pop("MDMProfileData", None)  # it would enroll again
    if request["RequestType"] == "RemoveProfile":
        observed.device.state.profiles[request["Identifier"]] = {}
    if request["RequestType"] == "RemoveApplication":
        observed.device.state.managed_apps[request["Identifier"]] = "Managed"
    if "UserName" in request:
        observed.device.state.users.append({"UserName": request["UserName"]})
    answer = observed.answers(request)
    assert answer["Status"] == "Acknowledged"
    assert answer_faults(request["RequestType"], answer, observed.kinds) == []
    if queries := request.get("Queries"):
        assert answer["QueryResponses"].keys() <= set(queries)


@pytest.mark.parametrize("kind", WHO)
@pytest.mark.parametrize("type", DEEDS)
def test_a_device_carries_out_its_own_requests_and_refuses_the_others(kind: str, type: str) -> None:
    """Each in every way that a device can end it."""
    for refusal in ("", "error", "malformed", "later"):
        observed = Observed(kind)
        switches = observed.device.switches
        switches.errors = {type} if refusal == "error" else set()
        switches.malformed = {type} if refusal == "malformed" else set()
        switches.not_now = int(refusal == "later")
        if type == "RemoveProfile":
            observed.device.state.profiles["com.example.wifi"] = {}
        request = {"RequestType": type, "Queries": ["UDID"], "Settings": [], "Identifier": "x", **MORE.get(type, {})}
        answer = observed.answers(request)
        assert answer_faults(type, answer, observed.kinds) == []
        if type in MORE and not refusal:
            assert (answer["Status"] == "Acknowledged") == bool(ANSWERS[type].on & observed.kinds)


@pytest.mark.parametrize("kind", WHO)
def test_check_in_messages(kind: str) -> None:
    observed = Observed(kind)
    device = observed.device
    device.authenticate()
    device.update_token()
    if device.kind.mac:
        device.set_bootstrap_token(b"token")
    device.unenroll()
    assert [message["MessageType"] for message in observed.sent] == [
        "Authenticate",
        "TokenUpdate",
        *(["SetBootstrapToken"] if device.kind.mac else []),
        "CheckOut",
    ]
    assert [check_in_faults(message, observed.kinds) for message in observed.sent] == [[]] * len(observed.sent)


def test_the_request_for_a_bootstrap_token(monkeypatch: pytest.MonkeyPatch) -> None:
    observed = Observed("mac")
    with pytest.raises(plistlib.InvalidFileException):
        plistlib.loads(observed.device.check_in("GetBootstrapToken").body)
    assert check_in_faults(observed.sent[0], observed.kinds) == []


class Reading(dict[str, Any]):
    """A dict that notes the keys that are looked for in it, and in the dicts inside it."""

    def __init__(self, content: dict[str, Any], keys: dict[str, Key], unknown: list[str]) -> None:
        inner = {name: self._inner(value, keys[name], unknown) for name, value in content.items()}
        super().__init__(**inner)
        self.keys_there, self.unknown = keys, unknown

    @classmethod
    def _inner(cls, value: Any, key: Key, unknown: list[str]) -> Any:
        if isinstance(value, dict):
            return cls(value, key.keys, unknown)
        if isinstance(value, list):
            return [cls._inner(each, key, unknown) for each in value]
        return value

    def get(self, name: str, default: Any = None, /) -> Any:
        self._note(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._note(str(name))
        return super().__contains__(name)

    def _note(self, name: str) -> None:
        if name not in self.keys_there and "*" not in self.keys_there:
            self.unknown.append(name)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("id", "platform"),
    [(id, platform) for id in EVERY_COMMAND for platform in sorted(EVERY_COMMAND[id].platforms & APPLE)],
)
def test_no_key_is_read_that_apple_does_not_document(
    id: str, platform: Platform, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer has every key, whatever the device, so that all that reads it is met."""
    if id in NEVER_DELIVERED:
        return
    device, unknown = DeviceFactory.create(tenant=tenant, platform=platform), list[str]()
    body: Any = next(case.values[2] for case in SENT if case.values[0] == id)
    type = delivered(device, id, body, monkeypatch)["RequestType"]
    schema = ANSWERS[type].keys
    answer = Reading(sample(schema), schema, unknown)
    command = EVERY_COMMAND[id]
    row = DeviceCommand(device=device, tenant=tenant, command=id, request_type=type, metadata=answer)
    assert command.refusal(answer) == []
    command.take_answer(row, answer)
    if id == "update_location":  # it reads what was kept of the answer
        command.on_completed(row)
    assert unknown == []


def test_the_documentation_is_really_compared() -> None:
    mac, intel, phone = (WHO[kind][1] for kind in ("mac", "intel_mac", "iphone"))
    ok = {"UDID": "U", "CommandUUID": "C", "Status": "Acknowledged"}
    assert answer_faults("RestartDevice", ok, mac) == []
    assert answer_faults("BlankPush", ok, mac) == ["BlankPush is no request"]
    assert answer_faults("RestartDevice", ok | {"Extra": 1, "Status": "Fine"}, mac) == [
        "Status of RestartDevice is 'Fine', which is none of its values",
        "RestartDevice has no Extra",
    ]
    assert answer_faults("UnlockUserAccount", ok, phone) == [
        "UnlockUserAccount is carried out by a device that has no such request"
    ]
    assert answer_faults("RestartDevice", ok | {"Status": "Error"}, phone) == [
        "RestartDevice is answered with Error, and an error or none"
    ]
    said = ok | {"SecurityInfo": {"IsRecoveryLockEnabled": 1, "SecureBoot": {"SecureBootLevel": "high"}}}
    assert answer_faults("SecurityInfo", said, mac) == [
        "IsRecoveryLockEnabled of SecurityInfo of SecurityInfo is no flag",
        "SecureBootLevel of SecureBoot of SecurityInfo of SecurityInfo is 'high', which is none of its values",
    ]
    assert answer_faults("SecurityInfo", said, intel)[0].endswith("is not for this device")
    assert answer_faults("CertificateList", ok | {"CertificateList": [{"CommonName": "x", "Data": b""}, 1]}, mac) == [
        "CertificateList of CertificateList lacks IsIdentity",
        "CertificateList of CertificateList has a row that is no dict",
    ]
    assert answer_faults("CertificateList", ok, mac) == ["CertificateList lacks CertificateList"]
    assert check_in_faults({"MessageType": "CheckOut", "Topic": "t"}, mac) == ["CheckOut lacks UDID"]
    assert check_in_faults({"MessageType": "GetBootstrapToken"}, phone) == [
        "GetBootstrapToken is no message of this device"
    ]
