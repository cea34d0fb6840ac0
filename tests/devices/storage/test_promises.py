"""The promises for two events on a file at the same time, or in the wrong order. With the embedded storage."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import F, ProtectedError
from django.utils import timezone

from access.audit.events import Actor
from access.models import Administrator, Tenant
from devices.models import StoredFile
from devices.storage import arrivals, checks, files, keys, upkeep
from devices.storage.backends import Content, files_storage
from devices.storage.files import AlreadyUploaded, UploadProcessing
from tests.factories.access import TenantFactory
from tests.types import RunTasks

pytestmark = pytest.mark.django_db
CONTENT = b"xar!" + bytes(range(256)) * 10
Purpose, State = StoredFile.Purpose, StoredFile.State

type Arrive = Callable[..., StoredFile]


@pytest.fixture
def directory(settings: Any, tmp_path: Path) -> Path:
    options = {**settings.STORAGES["files"], "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "files": options}
    return tmp_path


@pytest.fixture
def arrive(directory: Path, tenant: Tenant, owner: Administrator) -> Arrive:
    """`arrive(CONTENT)`: a file that arrived and is not checked yet. `again` is a file that the upload replaces."""

    def arrive(content: bytes = CONTENT, again: StoredFile | None = None) -> StoredFile:
        file = again or files.reserve_here(
            tenant=tenant, purpose=Purpose.CUSTOM_APP, name="Tools.pkg", actor=Actor.of(owner)
        )
        with files_storage().incoming(file.key) as incoming:
            incoming.write(content)
            incoming.sync()
            return arrivals.publish(file.key, incoming)

    return arrive


def claim(file: StoredFile, tenant: Tenant, purpose: StoredFile.Purpose = Purpose.CUSTOM_APP) -> StoredFile:
    return files.claim(tenant=tenant, key=file.key, purpose=purpose)


def over(file: StoredFile) -> None:
    StoredFile.objects.filter(pk=file.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def state(file: StoredFile) -> str:
    return StoredFile.objects.get(pk=file.pk).state


# --- Checks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [CONTENT[:-1] + b"!", CONTENT[:-1]], ids=["as-long", "shorter"])
def test_bytes_that_changed_after_their_arrival_are_found_out(
    arrive: Arrive, run_tasks: RunTasks, tenant: Tenant, other: bytes
) -> None:
    file = arrive()
    files_storage().write(file.key, [other])
    run_tasks()
    file.refresh_from_db()
    assert (file.state, file.reason) == ("damaged", checks.DAMAGED)
    with pytest.raises(ValidationError, match="does not match"):
        claim(file, tenant)


def test_a_file_that_is_gone_is_damaged(arrive: Arrive, run_tasks: RunTasks) -> None:
    file = arrive()
    files_storage().delete(file.key)
    run_tasks()
    assert state(file) == "damaged"


def test_a_file_is_not_damaged_because_its_disk_is_away(arrive: Arrive, directory: Path, run_tasks: RunTasks) -> None:
    file = arrive()
    (away := directory.with_name("away")).mkdir()
    for each in directory.iterdir():
        each.rename(away / each.name)
    run_tasks()  # on an empty mount point; the task waits for its next attempt
    assert state(file) == State.UPLOADED
    for each in away.iterdir():
        each.rename(directory / each.name)
    checks.check_file.call(file.pk, file.upload)
    assert state(file) == State.READY


def test_a_check_of_a_former_upload_says_nothing_of_the_next(arrive: Arrive) -> None:
    former = arrive()
    newer = arrive(CONTENT + b"2", former)
    checks.check_file.call(former.pk, former.upload)
    assert state(newer) == "uploaded"
    checks.check_file.call(newer.pk, newer.upload)
    assert state(newer) == "ready"


def test_an_upload_during_a_check_is_checked_itself(arrive: Arrive, monkeypatch: pytest.MonkeyPatch) -> None:
    file = arrive()

    def meanwhile(content: Any, checked: StoredFile) -> checks.Findings:
        arrive(CONTENT + b"2", file)
        return checks.Findings({"install_type": "image"})

    with monkeypatch.context() as patch:
        patch.setitem(checks._checks, Purpose.CUSTOM_APP, meanwhile)
        checks.check_file.call(file.pk, 1)
    file.refresh_from_db()
    assert (file.state, file.upload, file.metadata) == ("uploaded", 2, {})
    checks.check_file.call(file.pk, 2)
    file.refresh_from_db()
    assert (file.state, file.size, file.metadata["install_type"]) == ("ready", len(CONTENT) + 1, "package")


def test_a_check_that_does_not_end_is_a_refusal(arrive: Arrive, tenant: Tenant) -> None:
    file = arrive()
    upkeep.clean_up_files.call()
    assert state(file) == "uploaded"
    StoredFile.objects.update(uploaded_at=timezone.now() - checks.LONGEST_CHECK - timedelta(seconds=1))
    upkeep.clean_up_files.call()
    file.refresh_from_db()
    assert (file.state, file.reason) == ("refused", "The file validation timed out")


# --- Claiming and releasing a file ------------------------------------------------------------------------------------


def test_only_a_proven_file_is_used(arrive: Arrive, run_tasks: RunTasks, tenant: Tenant, owner: Administrator) -> None:
    file = arrive()
    with pytest.raises(UploadProcessing):
        claim(file, tenant)
    run_tasks()
    other = TenantFactory.create()
    for wrong in ((file, other), (file, tenant, Purpose.IPA_APP)):
        with pytest.raises(ValidationError, match="No upload has this key"):
            claim(*wrong)
    empty = files.reserve_here(tenant=tenant, purpose=Purpose.CUSTOM_APP, name="x", actor=Actor.of(owner))
    with pytest.raises(ValidationError, match="has not been uploaded"):
        claim(empty, tenant)
    assert claim(file, tenant).expires_at is None


def test_a_file_in_use_is_not_replaced(arrive: Arrive, run_tasks: RunTasks, tenant: Tenant) -> None:
    file = arrive()
    run_tasks()
    claim(file, tenant)
    # In every state: this file is the only copy of an app that devices install.
    for each in (State.READY, State.DAMAGED):
        StoredFile.objects.update(state=each)
        with pytest.raises(AlreadyUploaded):
            arrive(b"another", file)
    with files.open_file(file) as content:
        assert content.read() == CONTENT


def test_a_file_that_is_used_at_the_last_moment_stays(
    arrive: Arrive, run_tasks: RunTasks, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = arrive()
    run_tasks()
    over(file)
    condemned = upkeep._condemned

    def late(found: StoredFile) -> bool:
        claim(found, tenant)  # after the clean-up has read the row, and before it marks the row
        return condemned(found)

    monkeypatch.setattr(upkeep, "_condemned", late)
    upkeep.clean_up_files.call()
    assert state(file) == "ready"
    with files.open_file(file) as content:
        assert content.read() == CONTENT


def test_a_file_that_is_being_deleted_is_not_used(
    arrive: Arrive, run_tasks: RunTasks, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = arrive()
    run_tasks()
    over(file)

    def killed(deleted: StoredFile) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "delete", killed)
        with pytest.raises(RuntimeError):
            upkeep.clean_up_files.call()
    with pytest.raises(ValidationError, match="No upload has this key"):
        claim(file, tenant)
    with pytest.raises(AlreadyUploaded):
        arrive(CONTENT, file)
    upkeep.clean_up_files.call()
    assert not StoredFile.objects.exists()


def test_a_released_file_goes_with_the_clean_up(
    arrive: Arrive, run_tasks: RunTasks, tenant: Tenant, directory: Path
) -> None:
    file = arrive()
    run_tasks()
    files.release(claim(file, tenant))
    upkeep.clean_up_files.call()
    assert (directory / file.key).exists(), "a download of it may be under way"
    StoredFile.objects.update(expires_at=F("expires_at") - files.TO_FINISH)
    upkeep.clean_up_files.call()
    assert [path for path in directory.rglob("*") if path.is_file()] == []


def test_no_row_goes_before_its_file(arrive: Arrive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without a row would stay for ever."""
    file = arrive()

    def broken(key: str) -> None:
        raise OSError

    monkeypatch.setattr(files_storage(), "delete", broken)
    with pytest.raises(OSError):  # noqa: PT011 - the text of the storage does not matter
        files.delete(file)
    assert state(file) == "deleted"


def test_a_tenant_is_not_deleted_before_its_files(arrive: Arrive, directory: Path, db: None) -> None:
    tenant = Tenant.objects.create(name="Over", subdomain="over")  # without a trail, which also protects it
    file = StoredFile.objects.create(tenant=tenant, key="tenants/a/b.csv", purpose=Purpose.EXPORT, name="b.csv")
    files_storage().write(file.key, [CONTENT])
    with pytest.raises(ProtectedError):
        tenant.delete()
    assert (directory / file.key).exists()
    over(file)
    upkeep.clean_up_files.call()
    assert not (directory / file.key).exists()
    tenant.delete()


def test_what_arrived_is_what_was_hashed_on_the_way(arrive: Arrive, directory: Path) -> None:
    file = arrive()
    noted = Content(file.size, file.md5, file.sha256)
    with (directory / file.key).open("rb") as content:
        assert checks._digest(content) == noted


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\evil.exe", 'a"\r\nX-Y: z.pkg', "nul\0.pkg", "..", "Bürö.pkg"]
)
def test_a_key_has_harmless_parts_of_the_senders_name_alone(name: str, tenant: Tenant) -> None:
    key = keys.new_key(tenant, Purpose.CUSTOM_APP, name)
    folder, _, last = key.rpartition("/")
    assert folder == f"{keys.prefix(tenant)}/library/custom_apps"
    assert re.fullmatch(r"[A-Za-z0-9 _()+-][A-Za-z0-9 _.()+-]*_[0-9a-f]{8}(\.[a-z]+)?", last)
