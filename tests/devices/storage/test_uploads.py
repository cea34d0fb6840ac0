"""Uploads and downloads, the same with both storages: our own directory, and a SeaweedFS bucket."""

import base64
import hashlib
import json
import re
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

from access.audit.events import Actor
from access.models import Administrator, Tenant
from devices.models import StoredFile
from devices.storage import files, s3
from devices.storage.backends import StorageAway, files_storage
from devices.storage.checks import look_for_upload
from devices.storage.files import Reservation
from devices.storage.upkeep import clean_up_files
from tests.types import RunTasks

ORIGIN = "http://accuhive.api.iru.test"
CONTENT = b"xar!" + bytes(range(256)) * 3000
# SeaweedFS accepts a form without the empty security token.
NEEDED = ("key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "policy", "x-amz-signature")
NAME = "Tools 1.2 (beta).pkg"

type Reserve = Callable[[], Reservation]


@pytest.fixture
def reserve(storage: str, tenant: Tenant, owner: Administrator) -> Reserve:
    def reserve() -> Reservation:
        return files.reserve(
            tenant=tenant, purpose=StoredFile.Purpose.CUSTOM_APP, name=NAME, origin=ORIGIN, actor=Actor.of(owner)
        )

    return reserve


def post(
    client: httpx.Client, reservation: Reservation, content: bytes = CONTENT, **changed: str | None
) -> httpx.Response:
    fields = {**reservation.post.fields, **changed}
    return client.post(
        reservation.post.url,
        data={name: value for name, value in fields.items() if value is not None},
        files={"file": ("tools.pkg", content, "application/octet-stream")},
    )


def now(reservation: Reservation) -> StoredFile:
    return look_for_upload(StoredFile.objects.select_related("tenant").get(pk=reservation.file.pk))


def test_a_reservation_has_what_clients_read(reserve: Reserve) -> None:
    reservation = reserve()
    fields = reservation.post.fields
    assert list(fields) == [
        "key",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "policy",
        "x-amz-signature",
    ]
    assert all(isinstance(value, str) for value in fields.values())
    assert re.fullmatch(
        r"tenants/[0-9a-f-]{36}/library/custom_apps/Tools 1\.2 \(beta\)_[0-9a-f]{8}\.pkg", fields["key"]
    )
    assert reservation.post.url.endswith("/")
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", policy["expiration"])
    assert ["content-length-range", 1, 5 * 1024**3] in policy["conditions"]


def test_a_file_goes_up_is_proven_and_comes_down(client: httpx.Client, reserve: Reserve, run_tasks: RunTasks) -> None:
    reservation = reserve()
    answer = post(client, reservation)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    assert now(reservation).state == "uploaded"
    assert run_tasks() == 1
    file = now(reservation)
    expected = ("ready", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest())
    assert (file.state, file.size, file.sha256, file.md5) == expected
    url = files.signed_url(file, origin=ORIGIN)
    down = client.get(url)
    assert (down.status_code, down.content) == (200, CONTENT)
    assert down.headers["content-disposition"].startswith("attachment")
    assert NAME in down.headers["content-disposition"]
    part = client.get(url, headers={"range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, CONTENT[4:10])
    with files.open_file(file) as opened:
        assert opened.read() == CONTENT


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"x-amz-signature": "0" * 64}, {403}),
        ({"x-amz-date": "20200101T000000Z"}, {403}),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA512"}, {400, 403}),
        ({"x-amz-credential": "SOMEBODY/20261126/us-east-1/s3/aws4_request"}, {403}),
        ({"x-amz-security-token": "another"}, {403}),
        ({"key": "tenants/another.pkg"}, {403}),
        ({"policy": base64.b64encode(b'{"expiration": "2099-01-01T00:00:00Z", "conditions": []}').decode()}, {403}),
        *(({name: None}, {400, 403}) for name in NEEDED),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_form_that_was_changed_stores_nothing(
    client: httpx.Client, reserve: Reserve, changed: dict[str, Any], status: set[int]
) -> None:
    reservation = reserve()
    answer = post(client, reservation, **changed)
    assert answer.status_code in status
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<Code>" in answer.text
    assert now(reservation).state == "reserved"


@pytest.mark.parametrize(("content", "code"), [(b"", "EntityTooSmall"), (b"x" * 1001, "EntityTooLarge")])
def test_the_size_is_limited(client: httpx.Client, reserve: Reserve, settings: Any, content: bytes, code: str) -> None:
    settings.IRU_FILES_MAXIMUM = 1000
    reservation = reserve()
    answer = post(client, reservation, content)
    assert (answer.status_code, code in answer.text) == (400, True)
    assert now(reservation).state == "reserved"
    assert post(client, reservation, b"x" * 1000).status_code == 204


def test_a_form_is_over_one_day_later(client: httpx.Client, reserve: Reserve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "TO_UPLOAD", timedelta(seconds=1))
    reservation = reserve()
    moment = timezone.now() + timedelta(seconds=3)
    while timezone.now() < moment:
        pass
    answer = post(client, reservation)
    assert answer.status_code == 403
    assert "AccessDenied" in answer.text
    assert now(reservation).state == "reserved"


def test_a_file_that_was_damaged_later_is_found_out(
    client: httpx.Client, reserve: Reserve, run_tasks: RunTasks
) -> None:
    reservation = reserve()
    assert post(client, reservation).status_code == 204
    assert now(reservation).state == "uploaded"
    files_storage().write(reservation.file.key, [b"another"])
    run_tasks()
    file = now(reservation)
    assert (file.state, file.sha256) == ("damaged", hashlib.sha256(b"another").hexdigest())
    assert post(client, reservation).status_code == 204  # the upload is repeated
    assert now(reservation).state == "uploaded"
    run_tasks()
    assert now(reservation).state == "ready"


def test_what_nothing_uses_is_deleted_and_what_is_used_stays(
    client: httpx.Client, reserve: Reserve, run_tasks: RunTasks, tenant: Tenant
) -> None:
    unused, used, empty = reserve(), reserve(), reserve()
    for reservation in (unused, used):
        assert post(client, reservation).status_code == 204
        now(reservation)
    run_tasks()
    files.claim(tenant=tenant, key=used.file.key, purpose=StoredFile.Purpose.CUSTOM_APP)
    clean_up_files.call()
    assert StoredFile.objects.count() == 3
    StoredFile.objects.exclude(expires_at=None).update(expires_at=timezone.now() - timedelta(seconds=1))
    clean_up_files.call()
    assert [file.pk for file in StoredFile.objects.all()] == [used.file.pk]
    assert files_storage().find(unused.file.key) is None
    assert files_storage().find(empty.file.key) is None
    assert files_storage().find(used.file.key) is not None


def test_the_server_stores_files_of_its_own(client: httpx.Client, storage: str, tenant: Tenant) -> None:
    lines = [f"row {number}\r\n".encode() for number in range(10_000)]
    file = files.store(
        tenant=tenant,
        purpose=StoredFile.Purpose.EXPORT,
        name="apps.csv",
        chunks=iter(lines),
        lifetime=timedelta(hours=48),
    )
    content = b"".join(lines)
    assert (file.state, file.size, file.sha256) == ("ready", len(content), hashlib.sha256(content).hexdigest())
    assert client.get(files.signed_url(file, origin=ORIGIN)).content == content
    files.delete(file)
    assert not StoredFile.objects.exists()


def test_a_hosted_url_is_on_the_api_host(client: httpx.Client, storage: str, tenant: Tenant) -> None:
    file = files.store(tenant=tenant, purpose=StoredFile.Purpose.IPA_APP, name="a b.ipa", chunks=[CONTENT])
    url = files.hosted_url(file.key, origin=ORIGIN)
    assert re.match(rf"{ORIGIN}/tenants/[0-9a-f-]+/library/ipa_apps/a%20b_[0-9a-f]{{8}}\.ipa\?auth=\w+\.\w+\.", url)
    assert client.get(url, follow_redirects=True).content == CONTENT


def test_a_file_that_breaks_off_while_it_is_made_is_not_there(storage: str, tenant: Tenant) -> None:
    def broken() -> Any:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.store(tenant=tenant, purpose=StoredFile.Purpose.EXPORT, name="apps.csv", chunks=broken())
    (file,) = StoredFile.objects.all()
    assert file.state == "reserved"
    assert files_storage().find(file.key) is None


def test_a_bucket_that_does_not_answer_is_a_503(settings: Any, tenant: Tenant, owner: Administrator) -> None:
    options = {"bucket_name": "apps", "endpoint_url": "http://127.0.0.1:9", "access_key": "a", "secret_key": "b"}
    settings.STORAGES = {
        **settings.STORAGES,
        "files": {"BACKEND": "devices.storage.s3.BucketStorage", "OPTIONS": options},
    }
    reservation = files.reserve(
        tenant=tenant, purpose=StoredFile.Purpose.CUSTOM_APP, name=NAME, origin=ORIGIN, actor=Actor.of(owner)
    )
    assert reservation.post.fields["x-amz-security-token"] == ""
    with pytest.raises(StorageAway):
        look_for_upload(reservation.file)
    with pytest.raises(StorageAway):
        files_storage().check()


def test_a_storage_that_answers_says_so_and_stores_nothing(storage: str, tmp_path: Path) -> None:
    files_storage().check()
    assert list(tmp_path.rglob("*")) == []


def test_a_bucket_that_is_frozen_holds_no_call_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # the system accepts for it, and it says nothing
        endpoint = f"http://127.0.0.1:{frozen.getsockname()[1]}"
        storage = s3.BucketStorage(bucket_name="apps", endpoint_url=endpoint, access_key="a", secret_key="b")
        begun = time.monotonic()
        with pytest.raises(StorageAway):
            storage.find("a key")
        # Two attempts, with a pause of up to a second between them. The content of a file may take ten times as long.
        assert time.monotonic() - begun < 3
