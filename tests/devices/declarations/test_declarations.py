"""The declarations of a device, against what Apple documents, and the tokens by which it sees a change."""

from datetime import date, time
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.declarations import current as module
from devices.declarations.current import current, declarations_of
from devices.declarations.declaration import Declaration, Kind, declarations_token
from devices.models import Device, DeviceInventory, Enrollment, Platform, RequiredVersion
from devices.versions import version_of
from tests.devices.mdm.apple_declarations import declaration_faults
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db
STATUS, UPDATE = "iru.status", "iru.softwareupdate"
VERSIONS = {
    Platform.MAC: ["12.7", "13.0", "13.6.1", "14.0", "15.1", "26.0", "27"],
    Platform.IPHONE: ["14.8", "15.0", "16.0", "16.1", "16.7", "17.0", "18.1", "26.0"],
    Platform.IPAD: ["14.8", "15.0", "16.1", "17.0", "26.0"],
    Platform.APPLE_TV: ["15.6", "16.0", "16.1", "18.1"],
}
EVERY = [(platform, version) for platform, versions in VERSIONS.items() for version in versions]


def a_device(tenant: Tenant, platform: Platform, version: str, *, supervised: bool = True) -> Device:
    device = DeviceFactory.create(tenant=tenant, platform=platform, os_version=version)
    details = {} if platform == Platform.APPLE_TV else {"mdm": {"supervised": str(supervised)}}
    DeviceInventory.objects.update_or_create(device=device, defaults={"details": details})
    return device


def enrolled(device: Device) -> Enrollment:
    return Enrollment.objects.create(
        tenant=device.tenant, device=device, udid=f"UDID-{device.pk}", state="enrolled", created_at=timezone.now()
    )


def require(device: Device, version: str = "26.1", family: str = "") -> RequiredVersion:
    family = family or ("mac" if device.platform == Platform.MAC else "mobile")
    return RequiredVersion.objects.create(
        blueprint=device.blueprint, family=family, version=version, date=date(2027, 1, 5), time=time(18, 30)
    )


def names(device: Device) -> set[str]:
    return {each.identifier for each in declarations_of(device)}


@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "unsupervised"])
@pytest.mark.parametrize(("platform", "version"), EVERY)
def test_a_device_gets_what_apple_documents_for_it(
    platform: Platform, version: str, supervised: bool, tenant: Tenant
) -> None:
    device = a_device(tenant, platform, version, supervised=supervised)
    require(device, "28.0")
    found = declarations_of(device)
    faults = [
        fault
        for each in found
        for fault in declaration_faults(each.document(), platform, version, supervised=supervised)
    ]
    assert faults == []
    configurations = {each.identifier for each in found if each.kind == Kind.CONFIGURATION}
    if found:
        assert set(found[0].payload["StandardConfigurations"]) == configurations
    takes = (version_of(version) or ()) >= {"Mac": (13,), "AppleTV": (16,)}.get(platform, (15,))
    assert bool(found) == (takes and (supervised or platform != Platform.MAC))
    updates = platform != Platform.APPLE_TV and (version_of(version) or ()) >= ((14,) if platform == "Mac" else (17,))
    assert (UPDATE in configurations) == (bool(found) and updates)


def test_the_documentation_is_really_compared() -> None:
    good = {"Type": "com.apple.activation.simple", "Identifier": "a", "ServerToken": "t", "Payload": {}}

    def faults(document: dict[str, Any], version: str = "15.1", *, supervised: bool = True) -> list[str]:
        return declaration_faults(document, Platform.MAC, version, supervised=supervised)

    assert faults(good) == ["com.apple.activation.simple lacks StandardConfigurations"]
    good["Payload"] = {"StandardConfigurations": ["b"]}
    assert faults(good, supervised=False) == []
    assert faults(good, "12.6") == ["com.apple.activation.simple is not for Mac 12.6"]
    assert faults(good | {"Identifier": "é" * 33}) == ["Identifier is too long"]
    status = good | {
        "Type": "com.apple.configuration.management.status-subscriptions",
        "Payload": {"StatusItems": [{"Name": "passcode.is-compliant"}]},
    }
    assert faults(status) == ["passcode.is-compliant is no status item of Mac 15.1"]
    assert len(faults(status, supervised=False)) == 2


@pytest.mark.parametrize(
    ("version", "required", "updates"),
    [
        ("15.1", "15.1.1", True),
        ("15.1", "15.1.0", False),
        ("15.1", "15.1", False),
        ("15.10", "15.9", False),
        ("15.9", "15.10", True),
        ("26.0", "15.9", False),
        ("15.1 (a)", "15.1", False),
        ("", "26.1", False),
        ("nonsense", "26.1", False),
    ],
)
def test_a_device_with_an_older_version_updates(version: str, required: str, updates: bool, tenant: Tenant) -> None:
    device = a_device(tenant, Platform.MAC, version)
    require(device, required)
    assert (UPDATE in names(device)) == updates


def test_an_update_has_the_version_and_the_moment_of_the_blueprint(tenant: Tenant) -> None:
    device = a_device(tenant, Platform.IPAD, "18.0")
    require(device, "26.1")
    require(device, "27.0", "mac")
    update = next(each for each in declarations_of(device) if each.identifier == UPDATE)
    assert update.payload == {"TargetOSVersion": "26.1", "TargetLocalDateTime": "2027-01-05T18:30:00"}
    assert update.title == "Update to iOS and iPadOS 26.1"
    other = a_device(tenant, Platform.IPAD, "18.0")
    assert UPDATE not in names(other)


def test_a_token_is_another_one_for_every_change(tenant: Tenant) -> None:
    one = Declaration(Kind.CONFIGURATION, "com.example", "one", {"a": 1, "b": 2}, "One")
    same = Declaration(Kind.CONFIGURATION, "com.example", "one", {"b": 2, "a": 1}, "Other words")
    assert one.server_token == same.server_token
    others = [
        Declaration(Kind.CONFIGURATION, "com.example", "one", {"a": 1, "b": 3}, "One"),
        Declaration(Kind.CONFIGURATION, "com.example", "two", {"a": 1, "b": 2}, "One"),
        Declaration(Kind.CONFIGURATION, "com.example.more", "one", {"a": 1, "b": 2}, "One"),
    ]
    assert len({one.server_token, *(each.server_token for each in others)}) == 4
    assert declarations_token([one, others[1]]) == declarations_token([others[1], one])
    assert len({declarations_token([]), declarations_token([one]), declarations_token(others)}) == 3
    assert len(declarations_token([])) == 64


def test_the_timestamp_says_since_when_the_token_is_the_same(tenant: Tenant) -> None:
    device = a_device(tenant, Platform.MAC, "15.1")
    enrollment = enrolled(device)
    first = current(device, enrollment)
    assert current(device, enrollment) == first
    assert first.tokens()["SyncTokens"] == {
        "DeclarationsToken": first.token,
        "Timestamp": first.changed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    require(device)
    second = current(device, enrollment)
    assert second.token != first.token
    assert second.changed_at > first.changed_at
    assert second.items()["DeclarationsToken"] == second.token
    assert {key: len(listed) for key, listed in second.items()["Declarations"].items()} == {
        "Activations": 1,
        "Configurations": 2,
        "Assets": 0,
        "Management": 0,
    }


def test_other_packages_add_declarations(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    device = a_device(tenant, Platform.MAC, "26.0")
    package = Declaration(Kind.CONFIGURATION, "com.apple.configuration.package", "iru.package.1", {}, "Package")
    monkeypatch.setattr(module, "sources", [lambda device: [package]])
    activation, *others = declarations_of(device)
    assert others[-1] == package
    assert activation.payload == {"StandardConfigurations": ["iru.package.1", STATUS]}
