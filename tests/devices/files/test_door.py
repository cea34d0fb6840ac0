"""The door for files with the embedded storage: the promises that only our own server has to keep."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from access.audit.events import Actor
from access.http import slow_clients
from access.models import Administrator, Tenant
from devices.models import StoredFile
from devices.storage import embedded, files, signatures
from devices.storage.backends import Incoming
from devices.storage.files import Reservation
from devices.storage.upkeep import clean_up_files
from tests.devices.files.forms import BOUNDARY, FORM, field, file, form
from tests.types import RunTasks

ORIGIN = "http://accuhive.api.iru.test"
CONTENT = b"xar!" + bytes(range(256)) * 1000


@pytest.fixture
def directory(settings: Any, tmp_path: Path) -> Path:
    """The directory of the storage in this test."""
    place = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "files": {**settings.STORAGES["files"], "OPTIONS": {"location": place}}}
    return place


@pytest.fixture
def reservation(directory: Path, tenant: Tenant, owner: Administrator) -> Reservation:
    return files.reserve(
        tenant=tenant, purpose=StoredFile.Purpose.CUSTOM_APP, name="Tools 1.pkg", origin=ORIGIN, actor=Actor.of(owner)
    )


@pytest.fixture
def link(reservation: Reservation, run_tasks: RunTasks) -> str:
    """A link to the file, after its upload."""
    assert upload(reservation).status_code == 204
    run_tasks()
    return files.signed_url(StoredFile.objects.get(), origin=ORIGIN)


def post(body: bytes, content_type: str = FORM, **headers: str) -> Any:
    client = Client(raise_request_exception=False)
    return client.generic(
        "POST", "/files/", body, content_type=content_type, headers={"host": urlsplit(ORIGIN).netloc, **headers}
    )


def upload(reservation: Reservation, content: bytes = CONTENT) -> Any:
    return post(form(reservation.post.fields, file(content)))


def request(url: str, method: str = "GET", host: str = "", **headers: str) -> Any:
    parts = urlsplit(url)
    client = Client(raise_request_exception=False)
    return client.generic(method, f"{parts.path}?{parts.query}", headers={"host": host or parts.netloc, **headers})


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def stored(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_a_token_that_a_client_sends_along_is_ignored(directory: Path, reservation: Reservation) -> None:
    answer = post(form(reservation.post.fields, file(CONTENT)), authorization="Bearer nonsense", cookie="session=a")
    assert (answer.status_code, answer.content, len(answer.cookies)) == (204, b"", 0)
    assert answer["ETag"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    assert answer["Location"].startswith(f"{ORIGIN}/files/tenants%2F")
    (path,) = stored(directory)
    assert path == directory / reservation.post.fields["key"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert {each.stat().st_mode & 0o777 for each in directory.rglob("*") if each.is_dir()} == {0o700}


def test_every_field_comes_before_the_file(directory: Path, reservation: Reservation) -> None:
    fields = dict(reservation.post.fields)
    signature = fields.pop("x-amz-signature")
    answer = post(form(fields, file(CONTENT), field("x-amz-signature", signature)))
    assert (answer.status_code, b"before the file" in answer.content) == (400, True)
    assert stored(directory) == []


def test_a_field_that_the_policy_does_not_name_is_refused(directory: Path, reservation: Reservation) -> None:
    answer = post(form({**reservation.post.fields, "acl": "public-read"}, file(CONTENT)))
    assert (answer.status_code, b"Extra input fields: acl" in answer.content) == (403, True)
    assert stored(directory) == []


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([], 400, b"InvalidArgument"),
        ([file(b"a", "data")], 400, b"InvalidArgument"),
        ([file(b"a"), file(b"b")], 400, b"InvalidArgument"),
        ([field("file", "text")], 400, b"InvalidArgument"),
    ],
    ids=["none", "another-name", "two", "text"],
)
def test_exactly_one_file_is_taken(
    directory: Path, reservation: Reservation, parts: list[bytes], status: int, code: bytes
) -> None:
    answer = post(form(reservation.post.fields, *parts))
    assert (answer.status_code, code in answer.content) == (status, True)
    assert stored(directory) == []
    assert StoredFile.objects.get().state == "reserved"


@pytest.mark.parametrize("end", [100, 5000, -60, -len(f"--{BOUNDARY}--\r\n")])
def test_an_upload_that_breaks_off_leaves_nothing(directory: Path, reservation: Reservation, end: int) -> None:
    whole = form(reservation.post.fields, file(CONTENT))
    answer = post(whole[:end])
    assert (answer.status_code, b"MalformedPOSTRequest" in answer.content) == (400, True)
    assert stored(directory) == []
    assert StoredFile.objects.get().state == "reserved"
    assert post(whole).status_code == 204


def test_a_full_disk_leaves_nothing(directory: Path, reservation: Reservation, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Incoming, "write", full)
        answer = upload(reservation)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert stored(directory) == []
    assert upload(reservation).status_code == 204


def test_a_proven_file_is_not_replaced(directory: Path, reservation: Reservation, link: str) -> None:
    assert upload(reservation, b"another").status_code == 403
    assert body(request(link)) == CONTENT
    assert upload(reservation).status_code == 204, "the same once more, for a client that lost the first answer"
    assert StoredFile.objects.get().state == "ready"
    assert len(stored(directory)) == 1


def test_an_upload_to_a_tenant_that_ended_is_refused(directory: Path, reservation: Reservation) -> None:
    Tenant.objects.update(active=False)
    assert upload(reservation).status_code == 403
    assert stored(directory) == []


def test_a_form_signed_with_a_former_key_is_taken_until_that_is_gone(
    directory: Path, reservation: Reservation, settings: Any
) -> None:
    former = settings.IRU_SECRET_KEYS
    settings.IRU_SECRET_KEYS = [f"2:{'4' * 64}"]
    assert upload(reservation).status_code == 403
    settings.IRU_SECRET_KEYS = [f"2:{'4' * 64}", *former]
    assert upload(reservation).status_code == 204


def test_what_a_killed_server_left_is_deleted(directory: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    (directory / embedded.INCOMING).mkdir(parents=True)
    left = directory / embedded.INCOMING / "left"
    left.write_bytes(b"half")
    clean_up_files.call()
    assert left.exists(), "it may still be written to"
    monkeypatch.setattr(embedded, "STALE", -1)
    clean_up_files.call()
    assert not left.exists()


# --- Downloads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("range", "status", "start", "end"),
    [
        ("", 200, 0, None),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-", 206, 10, None),
        ("bytes=-5", 206, len(CONTENT) - 5, None),
        (f"bytes=5-{10**17}", 206, 5, None),
        (f"bytes=-{10**17}", 206, 0, None),
        ("bytes=9-5", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("bytes=0-1,3-4", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
def test_a_range_is_answered(link: str, range: str, status: int, start: int, end: int | None) -> None:
    answer = request(link, range=range)
    expected = CONTENT[start:end]
    assert (answer.status_code, body(answer)) == (status, expected)
    assert answer["Content-Length"] == str(len(expected))
    if status == 206:
        assert answer["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(CONTENT)}"


def test_a_range_behind_the_end_is_refused(link: str) -> None:
    assert request(link, range=f"bytes={len(CONTENT)}-").status_code == 416


def test_a_range_of_another_version_is_not_continued(link: str) -> None:
    assert request(link, range="bytes=5-", if_range='"another"').status_code == 200
    assert request(link, range="bytes=5-", if_range=request(link)["ETag"]).status_code == 206


def test_a_head_has_no_body(link: str) -> None:
    answer = request(link, "HEAD")
    assert (answer.status_code, answer["Content-Length"], answer.content) == (200, str(len(CONTENT)), b"")


def test_a_download_that_ends_before_its_first_byte_closes_the_file(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    local = embedded.EmbeddedStorage.local

    @contextmanager
    def noting(self: embedded.EmbeddedStorage, key: str) -> Iterator[Any]:
        with local(self, key) as file:
            opened.append(file)
            yield file

    monkeypatch.setattr(embedded.EmbeddedStorage, "local", noting)
    request(link).close()
    assert [file.closed for file in opened] == [True]


def test_a_download_is_an_attachment_that_nobody_stores(link: str) -> None:
    answer = request(link)
    assert answer["Content-Disposition"] == 'attachment; filename="Tools 1.pkg"'
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("application/octet-stream", "nosniff")
    assert answer["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer


def changed_links(link: str) -> Iterator[str]:
    other = signatures.sign_link(key="tenants/other.pkg", filename="x", lifetime=files.LINK)
    yield link.replace("auth=", "auth=A")
    yield link[:-1] + ("A" if link[-1] != "A" else "B")
    yield link.partition("?")[0]
    yield f"{link.partition('?')[0]}?auth={other}"
    yield f"{link.partition('?')[0]}?auth=.."
    yield f"{link.partition('?')[0]}?auth=%00%C3%A9"
    header, _, _ = link.partition("auth=")[2].split(".")
    yield f"{link.partition('?')[0]}?auth={header}.e30."
    yield link.replace(".pkg", ".dmg")


def test_every_other_link_gets_one_answer(link: str) -> None:
    answers = {(each.status_code, each.content) for each in map(request, changed_links(link))}
    assert len(answers) == 1
    assert answers.pop()[0] == 403


def test_a_link_ends(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    later = timezone.now() + files.LINK
    monkeypatch.setattr("devices.storage.signatures.timezone.now", lambda: later)
    assert request(link).status_code == 403


def test_a_deleted_file_is_gone_for_its_links_too(link: str, directory: Path) -> None:
    files.delete(StoredFile.objects.get())
    assert request(link).status_code == 404
    assert stored(directory) == []


def test_files_are_served_by_hosts_of_the_api_alone(link: str, settings: Any) -> None:
    settings.IRU_BARE_API_HOSTS = ["api.example.test"]
    settings.ALLOWED_HOSTS = ["*"]
    assert request(link, host="api.example.test").status_code == 200
    assert request(link, host="testserver").status_code == 404


def test_other_methods_are_refused(link: str) -> None:
    others = (("PUT", link), ("DELETE", link), ("POST", link), ("OPTIONS", link), ("GET", f"{ORIGIN}/files/"))
    for method, path in others:
        assert request(path, method).status_code == 405


# --- Pages of other origins -------------------------------------------------------------------------------------------


@pytest.fixture
def web(settings: Any) -> str:
    """The origin of the pages."""
    settings.IRU_WEB_HOSTS, settings.IRU_SCHEME, settings.IRU_PORT = ["iru.test", "[::1]"], "http", 8000
    return "http://iru.test:8000"


def test_our_pages_may_ask_and_read_what_became_of_their_upload(reservation: Reservation, web: str) -> None:
    for origin in (web, "http://[::1]:8000"):
        preflight = request(f"{ORIGIN}/files/", "OPTIONS", origin=origin)
        allowed = (preflight["Access-Control-Allow-Origin"], preflight["Access-Control-Allow-Methods"])
        assert (preflight.status_code, *allowed) == (200, origin, "POST")
        assert "Origin" in preflight["Vary"]
        assert "Access-Control-Allow-Credentials" not in preflight
    for fields, status in ((dict[str, str](), 400), (reservation.post.fields, 204)):
        answer = post(form(fields, file(CONTENT)), origin=web)
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (status, web)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://iru.test:8000",
        "http://iru.test",
        "http://iru.test:8001",
        "http://evil.test:8000",
        "http://sub.iru.test:8000",
        "http://iru.test:8000.evil.test",
        "http://accuhive.api.iru.test:8000",
        "http://[::1:8000",
    ],
)
def test_no_other_page_may(origin: str, reservation: Reservation, web: str) -> None:
    preflight = request(f"{ORIGIN}/files/", "OPTIONS", origin=origin)
    answer = post(form({}, file(CONTENT)), origin=origin)
    assert [each.get("Access-Control-Allow-Origin") for each in (preflight, answer)] == [None, None]


# --- Threads ----------------------------------------------------------------------------------------------------------


def test_a_stranger_without_a_signature_never_becomes_a_transfer(
    directory: Path, reservation: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr("devices.files.uploads.begin_transfer", begun.append)
    assert post(form({**reservation.post.fields, "x-amz-signature": "0" * 64}, file(CONTENT))).status_code == 403
    assert begun == []
    assert upload(reservation).status_code == 204
    assert len(begun) == 1


def test_a_transfer_that_has_no_place_is_asked_to_come_again(
    directory: Path, reservation: Reservation, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(meta: object) -> None:
        raise slow_clients.ServerBusy

    monkeypatch.setattr("devices.files.downloads.stream_answer", busy)
    answer = request(link)
    assert (answer.status_code, answer["Retry-After"], b"SlowDown" in answer.content) == (503, "5", True)
