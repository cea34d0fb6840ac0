"""The bodies of pages: small, without files, and looked at before CSRF protection. For every address that there is."""

import re
import tempfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files import uploadedfile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse

from access.http.bodies import PAGE_BODY
from access.http.slow_clients import AUTHENTICATED
from access.models import Administrator
from devices.models import Device
from devices.pages.notes import NOTE_BODY
from tests.types import Response

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
EXAMPLES = {"uuid": "5b6c43d2-7a1e-4b3f-9c57-0d3a1f6e8b21", "int": 1, "slug": "a", "str": "a", "path": "1"}
APP = "access"  # one that Django admin lists
BOUNDARY = "5cd3"


def paths(patterns: list[Any], *namespaces: str) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, *namespaces, *([pattern.namespace] if pattern.namespace else []))
        elif isinstance(pattern, URLPattern) and pattern.name:
            values: dict[str, Any] = {name: APP if name == "app_label" else "1" for name in groups(pattern)}
            values |= {name: EXAMPLES[kind(converter)] for name, converter in pattern.pattern.converters.items()}
            yield reverse(":".join((*namespaces, pattern.name)), kwargs=values)


def groups(pattern: URLPattern) -> Iterable[str]:
    regex: re.Pattern[str] = pattern.pattern.regex
    return regex.groupindex


def kind(converter: Any) -> str:
    return type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")


PATHS = sorted({path for path in paths(get_resolver().url_patterns) if not path.startswith("/api/")})


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[str]:
    """The temporary files that were made; every file of a form would become one."""
    names: list[str] = []

    def temporary(*arguments: Any, **keywords: Any) -> Any:
        file = tempfile.NamedTemporaryFile(*arguments, **keywords)  # noqa: SIM115 - its user closes it
        names.append(file.name)
        return file

    monkeypatch.setattr(uploadedfile.tempfile, "NamedTemporaryFile", temporary)  # type: ignore[attr-defined]
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    return names


def post(client: Client, path: str, body: bytes, content_type: str, **environ: Any) -> tuple[Response, int]:
    """The answer, and the number of bytes that were read for it."""
    stream = BytesIO(body)
    environ = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body)), "wsgi.input": stream, **environ}
    response: Any = client.generic("POST", path, **environ)
    return response, stream.tell()


def form(size: int, filename: str = "a.pkg") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="theme"; filename="{filename}"\r\n\r\n'
    return head.encode() + bytes(size) + f"\r\n--{BOUNDARY}--\r\n".encode()


URLENCODED, MULTIPART = "application/x-www-form-urlencoded", f"multipart/form-data; boundary={BOUNDARY}"


def test_the_addresses_are_all_there() -> None:
    assert {"/sign-in/", "/theme/", "/password/reset/", "/admin/access/tenant/add/"} <= set(PATHS)
    assert len(PATHS) > 60


@pytest.mark.parametrize("content_type", [URLENCODED, MULTIPART])
def test_a_page_reads_nothing_of_a_large_body(content_type: str, written: list[str]) -> None:
    client, wrong = Client(enforce_csrf_checks=True), []
    for path in PATHS:
        response, count = post(client, path, form(NOTE_BODY), content_type)
        if (response.status_code, count) != (413, 0):
            wrong.append(f"{path}: {response.status_code}, {count} bytes read")
    assert not wrong, "\n".join(wrong)
    assert not written


def test_a_page_takes_no_file(written: list[str]) -> None:
    client, wrong = Client(enforce_csrf_checks=True), []
    for path in PATHS:
        response, _ = post(client, path, form(1000), MULTIPART)
        if response.status_code != 415:
            wrong.append(f"{path}: {response.status_code}")
    assert not wrong, "\n".join(wrong)
    assert not written


def test_the_pages_that_take_files() -> None:
    """The list is written by hand, so a page that takes files without need fails here."""
    names = {resolve(path).view_name for path in PATHS if hasattr(resolve(path).func, "files_maximum")}
    certificates = {"push-certificate-import", "push-certificate-sign", "push-certificate-upload"}
    assert names == {"ade-create", "ade-renew", "profile-create", "script-create", "library-item-edit"} | certificates
    streamed = {resolve(path).view_name for path in PATHS if hasattr(resolve(path).func, "streams_body")}
    assert streamed == {"custom-app-create", "custom-app-edit", "ipa-app-create", "ipa-app-edit"}


def test_only_a_page_that_streams_applies_csrf_protection_itself() -> None:
    exempt = {path for path in PATHS if getattr(resolve(path).func, "csrf_exempt", False)}
    assert exempt == {path for path in PATHS if hasattr(resolve(path).func, "streams_body")}


def test_an_empty_file_field_is_no_file(client: Client) -> None:
    response, _ = post(client, "/theme/", form(0, filename=""), MULTIPART)
    assert response.status_code == 302


def test_a_page_takes_a_form_up_to_its_maximum(client: Client) -> None:
    for size, status in ((PAGE_BODY, 302), (PAGE_BODY + 1, 413)):
        response, _ = post(client, "/theme/", b"theme=dark&pad=".ljust(size, b"x"), URLENCODED)
        assert response.status_code == status
    assert "This form is too large" in response.content.decode()
    assert response["X-Frame-Options"] == "DENY"


def test_a_form_without_a_length_is_refused_unread(client: Client) -> None:
    chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    response, count = post(client, "/theme/", b"theme=dark", URLENCODED, **chunked)
    assert (response.status_code, count) == (411, 0)


def test_a_form_that_broke_off_changes_nothing(client: Client) -> None:
    response, _ = post(client, "/theme/", b"theme=dark", URLENCODED, CONTENT_LENGTH="11")
    assert response.status_code == 400
    assert not response.cookies


def test_the_longest_note_fits(client: Client, owner: Administrator, mac: Device) -> None:
    client.force_login(owner)
    text = "\N{GRINNING FACE}" * 20_000
    client.post(f"/devices/{mac.uuid}/notes/new/", urlencode({"content": text}), content_type=URLENCODED)
    assert mac.notes.get().content == text


def test_only_a_person_who_signed_in_is_no_stranger(client: Client, owner: Administrator) -> None:
    """Slow bodies of strangers have a smaller share of the server's threads."""
    assert AUTHENTICATED not in client.post("/theme/", {"theme": "dark"}).wsgi_request.META
    client.force_login(owner)
    assert client.post("/theme/", {"theme": "dark"}).wsgi_request.META[AUTHENTICATED]
