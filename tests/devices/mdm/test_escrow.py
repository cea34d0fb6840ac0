"""FileVault recovery keys: a Mac is told whom to encrypt them for, and hands them over."""

import plistlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from devices.enrollment.authorities import Purpose, authority, replace
from devices.enrollment.escrow import ESCROW, escrow_profile, lacks_escrow
from devices.fleet.secrets import reveal_to_device
from devices.library.profile_files import mdm_identifier
from devices.library.profiles import create_profile
from devices.mdm.questions import ask_inventory
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.enrolling import read_signed
from devices.models import Blueprint, DeviceCommand, DeviceItem, DeviceSecret
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.test_rollout import assign, remove
from tests.devices.sending import ACTOR

pytestmark = pytest.mark.django_db
OPENSSL = shutil.which("openssl")


def key_of(device: SimulatedDevice) -> str | None:
    return reveal_to_device(device=stored(device), kind=DeviceSecret.Kind.FILEVAULT_KEY)


def a_day_later(device: SimulatedDevice) -> list[str]:
    """Its daily inventory. Returns the requests that it was sent."""
    ask_inventory(stored(device), stored(device).enrollments.get(state="enrolled"))
    return [kind for kind, _ in device.connect()]


@pytest.mark.parametrize("kind", ["mac", "intel_mac"])
def test_the_key_of_a_mac_is_stored_as_a_secret(new_device: NewDevice, kind: str) -> None:
    mac = new_device(kind)
    mac.connect()
    assert key_of(mac) == mac.recovery_key
    assert stored(mac).inventory.details["filevault"]["filevault_prk_escrowed"] is True
    assert AuditEvent.objects.filter(summary="FileVault recovery key stored").count() == 1
    assert not DeviceCommand.objects.filter(status=DeviceCommand.Status.FAILED).exists()


def test_the_profile_is_installed_once(new_device: NewDevice) -> None:
    mac = new_device()
    assert [kind for kind, _ in mac.connect()].count("InstallProfile") == 1
    assert "InstallProfile" not in a_day_later(mac)


def test_a_profile_that_was_removed_is_installed_again(new_device: NewDevice) -> None:
    mac = new_device()
    mac.connect()
    mac.state.profiles = {name: each for name, each in mac.state.profiles.items() if not name.endswith("filevault")}
    assert a_day_later(mac).count("InstallProfile") == 1


def test_a_replaced_certificate_replaces_the_profile(new_device: NewDevice, tenant: Tenant) -> None:
    mac = new_device()
    mac.connect()
    before = set(mac.state.profiles)
    former = authority(tenant, Purpose.ESCROW).row.pk
    replace(tenant=tenant, authority_id=former, actor=Actor.command("tests"))
    assert a_day_later(mac).count("InstallProfile") == 1
    assert set(mac.state.profiles) == before
    assert "InstallProfile" not in a_day_later(mac)
    assert key_of(mac) == mac.recovery_key


def test_the_escrow_of_another_profile_stays(new_device: NewDevice) -> None:
    mac = new_device()
    mac.state.profiles["com.example.filevault"] = read_signed(escrow_profile(stored(mac).tenant)) | {
        "PayloadIdentifier": "com.example.filevault",
        "PayloadUUID": "F4A2B1C0-0000-4000-8000-000000000001",
    }
    assert "InstallProfile" not in [kind for kind, _ in mac.connect()]


def with_escrow(tenant: Tenant) -> bytes:
    """An organization's own profile, which has the key sent elsewhere."""
    return plistlib.dumps(read_signed(escrow_profile(tenant)))


def escrows_on(mac: SimulatedDevice) -> list[str]:
    return [
        name
        for name, each in mac.state.profiles.items()
        if any(part["PayloadType"] == ESCROW for part in each.get("PayloadContent", []))
    ]


def test_a_profile_of_the_library_with_an_escrow_takes_the_place_of_ours(
    new_device: NewDevice, tenant: Tenant, blueprint: Blueprint
) -> None:
    mac = new_device()
    mac.connect()
    (ours,) = escrows_on(mac)
    item = create_profile(tenant=tenant, actor=ACTOR, file=with_escrow(tenant), name="Vault")
    assign(blueprint, item)
    mac.connect()
    assert escrows_on(mac) == [mdm_identifier(item)]
    assert stored(mac).items.get().state == DeviceItem.State.DONE
    assert "InstallProfile" not in a_day_later(mac)
    assert "RemoveProfile" not in a_day_later(mac)

    remove(blueprint, item)
    mac.connect()
    assert escrows_on(mac) == [ours]


def test_a_mac_that_enrolls_with_such_a_profile_gets_ours_at_no_time(
    new_device: NewDevice, tenant: Tenant, blueprint: Blueprint
) -> None:
    mac = new_device()
    item = create_profile(tenant=tenant, actor=ACTOR, file=with_escrow(tenant), name="Vault")
    assign(blueprint, item)
    assert [kind for kind, _ in mac.connect()].count("InstallProfile") == 1
    assert escrows_on(mac) == [mdm_identifier(item)]
    assert not stored(mac).commands.filter(status=DeviceCommand.Status.FAILED).exists()


@pytest.mark.parametrize("kind", ["iphone", "ipad", "apple_tv"])
def test_other_devices_get_no_such_profile(new_device: NewDevice, kind: str) -> None:
    device = new_device(kind)
    assert "InstallProfile" not in [kind for kind, _ in device.connect()]
    assert key_of(device) is None


def test_a_mac_that_does_not_list_its_profiles_is_not_sent_one(new_device: NewDevice) -> None:
    mac = new_device()
    asked = stored(mac).commands.get(command="profile_list")
    mac.say("Idle")
    mac.say("Acknowledged", CommandUUID=str(asked.uuid).upper())
    assert not stored(mac).commands.filter(command="escrow_profile").exists()


def test_each_tenant_has_its_own(mdm: Tenant, other_tenant: Tenant) -> None:
    ours, theirs = (read_signed(escrow_profile(each)) for each in (mdm, other_tenant))
    assert ours["PayloadIdentifier"] != theirs["PayloadIdentifier"]
    listed = [{"identifier": ours["PayloadIdentifier"], "uuid": ours["PayloadUUID"], "payload_types": [ESCROW]}]
    assert not lacks_escrow(mdm, listed)
    assert lacks_escrow(mdm, [])
    assert lacks_escrow(mdm, [listed[0] | {"uuid": theirs["PayloadUUID"]}])


@pytest.mark.skipif(OPENSSL is None, reason="There is no openssl.")
def test_openssl_reads_the_profile_and_encrypts_for_its_certificate(new_device: NewDevice, tmp_path: Path) -> None:
    mac = new_device()
    tenant = stored(mac).tenant

    def openssl(*arguments: str, data: bytes) -> bytes:
        assert OPENSSL
        return subprocess.run([OPENSSL, *arguments], input=data, capture_output=True, check=True).stdout

    plain = openssl("cms", "-verify", "-noverify", "-inform", "DER", data=escrow_profile(tenant))
    content: dict[str, Any] = plistlib.loads(plain)
    certificate, escrow = content["PayloadContent"]
    assert escrow["EncryptCertPayloadUUID"] == certificate["PayloadUUID"]
    assert (certificate["PayloadType"], escrow["PayloadType"]) == ("com.apple.security.pkcs1", ESCROW)
    (file := tmp_path / "escrow.der").write_bytes(certificate["PayloadContent"])
    shown = openssl("x509", "-inform", "DER", "-noout", "-text", data=certificate["PayloadContent"]).decode()
    assert "Key Encipherment" in shown
    assert x509.load_der_x509_certificate(file.read_bytes()).not_valid_after_utc.year > 2040
    key = "ABCD-EFGH-IJKL-MNOP-QRST-UVWX"
    sealed = openssl("cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", str(file), data=key.encode())
    said = {"SecurityInfo": {"FDE_Enabled": True, "FDE_PersonalRecoveryKeyCMS": sealed}}
    row = stored(mac).commands.get(command="security_info")
    mac.say("Idle")
    mac.say("Acknowledged", CommandUUID=str(row.uuid).upper(), **said)
    assert key_of(mac) == key
