"""What is kept of a package with its file: by the check of an upload, and by the task for those that came before."""

import hashlib
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.library import package_reading
from devices.library.app_files import check_custom_app
from devices.library.custom_apps import create_app
from devices.library.package_reading import LOST, read_packages
from devices.models import Enrollment, LibraryItem, StoredFile
from devices.storage import pieces
from devices.storage.pieces import PIECE, digests
from tests.devices.installers import Installer
from tests.devices.mdm.in_house import stored_upload
from tests.devices.sending import ACTOR
from tests.factories.devices import AssignmentFactory, BlueprintFactory, CustomAppFactory, DeviceFactory

pytestmark = pytest.mark.django_db
Purpose = StoredFile.Purpose


def found_in(content: bytes) -> dict[str, Any]:
    return check_custom_app(BytesIO(content), StoredFile()).metadata


def test_the_check_of_an_upload_keeps_what_mdm_needs() -> None:
    content = Installer().data
    found = found_in(content)
    assert (found["install_type"], found["package"]["unsigned"]) == ("package", "")
    assert found["package"]["apps"][0]["identifier"] == "com.accuhive.vpn"
    assert found["sha256s"] == [hashlib.sha256(content).hexdigest()]


def test_a_package_that_cannot_be_read_is_accepted_with_the_reason() -> None:
    content = b"xar!" + bytes(100)
    found = found_in(content)
    assert found == {
        "install_type": "package",
        "package": {"problem": "The package is damaged: it does not begin as a package does."},
    }


def test_other_files_have_neither() -> None:
    assert found_in(b"PK\3\4" + bytes(600)) == {"install_type": "zip"}
    assert found_in(bytes(600)) == {"install_type": ""}


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 250, 1000])
def test_each_piece_has_its_digest(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 100)
    monkeypatch.setattr(pieces, "CHUNK", 64)
    content = bytes(number % 251 for number in range(size))
    expected = [hashlib.sha256(content[start : start + 100]).hexdigest() for start in range(0, size, 100)]
    assert digests(BytesIO(content)) == expected
    assert PIECE == 10 * 1024 * 1024


@pytest.fixture
def before(tenant: Tenant) -> LibraryItem:
    """An app whose package was uploaded to an earlier version of this server."""
    key = stored_upload(tenant, Purpose.CUSTOM_APP, "VPN.pkg", Installer().data)
    item = create_app(
        tenant=tenant,
        actor=ACTOR,
        name="VPN",
        file_key=key,
        install_type="package",
        install_enforcement="install_once",
    )
    StoredFile.objects.filter(key=key).update(metadata={"install_type": "package"})
    LibraryItem.objects.filter(pk=item.pk).update(version="")
    return item


def metadata(item: LibraryItem) -> dict[str, Any]:
    found: dict[str, Any] = StoredFile.objects.get(pk=item.custom_app.file_id).metadata
    return found


def test_a_package_from_before_is_read_once(
    tenant: Tenant, before: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant)
    AssignmentFactory.create(blueprint=blueprint, library_item=before)
    device = DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    enrollment = Enrollment.objects.create(
        tenant=tenant, device=device, udid="U", state="enrolled", created_at=timezone.now(), planned="compared"
    )
    read_packages.call()
    assert metadata(before)["package"]["apps"][0]["identifier"] == "com.accuhive.vpn"
    assert len(metadata(before)["sha256s"]) == 1
    before.refresh_from_db()
    assert before.version == before.custom_app.file.sha256
    enrollment.refresh_from_db()
    assert enrollment.planned == ""  # its Macs are compared with what is known now

    monkeypatch.setattr(package_reading, "read_package", lambda content: pytest.fail("It is read again."))
    read_packages.call()


def test_other_apps_from_before_get_their_versions_alone(tenant: Tenant) -> None:
    item = CustomAppFactory.create(tenant=tenant, install_type="zip")
    LibraryItem.objects.filter(pk=item.pk).update(version="")
    read_packages.call()
    item.refresh_from_db()
    assert item.version == item.custom_app.file.sha256
    assert "package" not in metadata(item)


def test_a_lost_file_is_noted(before: LibraryItem) -> None:
    file = before.custom_app.file
    StoredFile.objects.filter(pk=file.pk).update(key=file.key.replace("VPN", "Lost"))
    read_packages.call()
    assert metadata(before)["package"] == {"problem": LOST}


def test_a_disk_that_is_away_holds_nothing_back(tenant: Tenant, before: LibraryItem) -> None:
    file = StoredFile.objects.get(pk=before.custom_app.file_id)
    StoredFile.objects.filter(pk=file.pk).update(key="tenants/away/library/custom_apps/VPN.pkg")
    second = StoredFile.objects.create(
        tenant=tenant, key=file.key, purpose=file.purpose, state=file.state, metadata=file.metadata
    )
    read_packages.call()
    assert "package" not in metadata(before)
    second.refresh_from_db()
    assert "package" in second.metadata


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"upload": 7, "metadata": {"install_type": "package"}}, id="uploaded again"),
        pytest.param({"metadata": {"install_type": "package", "package": {"problem": "new"}}}, id="read before"),
        pytest.param({"state": "deleted"}, id="deleted"),
    ],
)
def test_what_changed_meanwhile_keeps_its_own_values(
    changes: dict[str, Any], before: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(content: object) -> dict[str, Any]:
        StoredFile.objects.update(**changes)
        return {"package": {"problem": "old"}}

    monkeypatch.setattr(package_reading, "read_package", meanwhile)
    read_packages.call()
    assert metadata(before) == changes.get("metadata", {"install_type": "package"})


def test_a_run_has_an_end(tenant: Tenant, before: LibraryItem, monkeypatch: pytest.MonkeyPatch) -> None:
    file = before.custom_app.file
    for number in range(3):
        StoredFile.objects.create(
            tenant=tenant,
            key=f"{number}.pkg",
            purpose=Purpose.CUSTOM_APP,
            state=StoredFile.State.READY,
            metadata={"install_type": "package"},
            expires_at=timezone.now() + timedelta(hours=1),
        )
    assert file.pk
    unread = StoredFile.objects.filter(metadata__package__isnull=True)
    monkeypatch.setattr(package_reading, "BATCH", 2)
    read_packages.call()
    assert unread.count() == 2
    monkeypatch.setattr(package_reading, "LONGEST", -1)
    read_packages.call()
    assert unread.count() == 2
    monkeypatch.setattr(package_reading, "LONGEST", 60)
    read_packages.call()
    assert unread.count() == 0
