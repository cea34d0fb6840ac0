"""Uploads: operations whose body streams to disk, shown with an API of our own."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.test import RequestFactory

from access.permissions import Catalogue, Section
from access.tokens import lifecycle
from devices.api import openapi, routing
from devices.api.identity import ApiRequest
from devices.api.routing import Api, Router
from devices.api.uploads import Upload, UploadLimits
from devices.inputs import Body, Name
from devices.pages import reference_entries, reference_examples
from tests.types import IssuedApiToken, IssueToken

MEGABYTE = 1024 * 1024
MAXIMUM = 24 * MEGABYTE
BOUNDARY = "5cd3"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
PATH = "/api/v1/packages"


class PackageBody(Body):
    name: Name


class CountedBody(RawIOBase):
    """A body that is made while it is read: `parts` one after the other. Counts what was read of it."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts = parts
        self.left = b""
        self.total = self.largest = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "read whole"
        if not self.left:
            self.left = next(self.parts, b"")
        data, self.left = self.left[:size], self.left[size:]
        self.total += len(data)
        self.largest = max(self.largest, size)
        return data


def form(size: int = 100, *, name: str = "Tools", file: str = "file", closed: bool = True) -> Iterator[bytes]:
    """A form with a name, unless that is empty, and one file of `size` bytes."""
    if name:
        yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'.encode()
    disposition = f'Content-Disposition: form-data; name="{file}"; filename="tools.pkg"'
    yield f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode()
    for start in range(0, size, 10_000):
        yield bytes(min(10_000, size - start))
    yield f"\r\n--{BOUNDARY}--\r\n".encode() if closed else b""


@pytest.fixture
def received() -> list[UploadedFile[Any]]:
    """The files that reached the handler."""
    return []


@pytest.fixture
def uploads(received: list[UploadedFile[Any]], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    catalogue = Catalogue()
    for module in (routing, lifecycle):
        monkeypatch.setattr(module, "catalogue", catalogue)
    router = Router(Section("Library", "Packages", "Permissions related to packages."))

    @router.operation(
        "POST",
        "/packages",
        id="upload_package",
        label="Upload package",
        about="Upload a package",
        response=dict[str, Any],
        status=201,
        upload=UploadLimits(maximum=MAXIMUM, files=("file",), about="A file."),
    )
    def upload_package(request: ApiRequest, body: PackageBody, upload: Upload) -> dict[str, Any]:
        file = upload.files["file"]
        assert not list(tmp_path.iterdir())  # the file has no name there, so a server that is killed leaves no file
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        received.append(file)
        return {"name": body.name, "size": file.size, "sha256": digest.hexdigest()}

    return Api(router)


@pytest.fixture
def token(uploads: Api, issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("upload_package")


def send(
    api: Api, token: IssuedApiToken | None, body: CountedBody, *, length: int | None = None, content_type: str = FORM
) -> HttpResponse:
    """Send `body`: chunked, or under the Content-Length that is given."""
    headers = {"authorization": f"Bearer {token.secret}"} if token else {}
    request: Any = RequestFactory().generic("POST", PATH, b"", headers=headers)
    request.META.update({"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_TYPE": content_type})
    request.content_type, _, parameters = content_type.partition("; ")
    request.content_params = dict([parameters.split("=")]) if parameters else {}
    if length is None:
        request.META["HTTP_TRANSFER_ENCODING"] = "chunked"
    else:
        request.META["CONTENT_LENGTH"] = str(length)
    request.subdomain = "accuhive"
    return api(request)


def test_a_file_reaches_the_handler_and_is_gone_afterwards(
    uploads: Api, token: IssuedApiToken, received: list[UploadedFile[Any]]
) -> None:
    body = CountedBody(form(100_000))
    answer = send(uploads, token, body)
    assert answer.status_code == 201
    expected = {"name": "Tools", "size": 100_000, "sha256": hashlib.sha256(bytes(100_000)).hexdigest()}
    assert orjson.loads(answer.content) == expected
    (file,) = received
    assert file.closed


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [True, False])
def test_twenty_megabytes_are_never_in_memory_whole(uploads: Api, token: IssuedApiToken, chunked: bool) -> None:
    send(uploads, token, CountedBody(form()))  # what is made once
    body = CountedBody(form(20 * MEGABYTE))
    length = None if chunked else sum(map(len, form(20 * MEGABYTE)))
    tracemalloc.start()
    try:
        answer = send(uploads, token, body, length=length)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 201
    assert orjson.loads(answer.content)["size"] == 20 * MEGABYTE
    assert body.largest <= 64 * 1024
    assert peak < 2 * MEGABYTE


def test_the_guard_refuses_before_a_byte_is_read(uploads: Api, issue_token: IssueToken, token: IssuedApiToken) -> None:
    for caller, status in ((None, 401), (issue_token("upload_package", revoked=True), 401), (issue_token(), 403)):
        body = CountedBody(form())
        assert send(uploads, caller, body).status_code == status
        assert body.total == 0


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_refused_unread(uploads: Api, token: IssuedApiToken, content_type: str) -> None:
    body = CountedBody(form())
    assert send(uploads, token, body, content_type=content_type).status_code == 415
    assert body.total == 0


def test_a_length_over_the_maximum_is_refused_unread(uploads: Api, token: IssuedApiToken) -> None:
    body = CountedBody(form(MAXIMUM))
    answer = send(uploads, token, body, length=MAXIMUM + 1)
    assert (answer.status_code, answer.content) == (413, b'{"detail":"The request body is too large."}')
    assert body.total == 0


def test_a_chunked_body_over_the_maximum_is_refused_there(uploads: Api, token: IssuedApiToken) -> None:
    body = CountedBody(form(2 * MAXIMUM))
    answer = send(uploads, token, body)
    assert (answer.status_code, answer.content) == (413, b'{"detail":"The request body is too large."}')
    assert body.total == MAXIMUM + 1


@pytest.mark.parametrize(
    ("parts", "length"),
    [
        ([b""], None),
        ([b"no form at all"], None),
        ([b"--other\r\n\r\n--other--\r\n"], None),
        (list(form(closed=False)), None),
        ([*form(), b""], 10_000),  # the connection broke
        (list(form())[:1], None),  # it broke between two parts
        (list(form(100_000))[:5], None),  # and in the file
    ],
    ids=["empty", "text", "boundary", "open", "short", "one-part", "half-a-file"],
)
def test_a_form_that_is_not_whole_is_a_400(
    uploads: Api, token: IssuedApiToken, received: list[UploadedFile[Any]], parts: list[bytes], length: int | None
) -> None:
    answer = send(uploads, token, CountedBody(iter(parts)), length=length)
    assert (answer.status_code, answer.content) == (400, b'{"detail":"The request body could not be read."}')
    assert not received


def test_a_boundary_is_needed(uploads: Api, token: IssuedApiToken) -> None:
    assert send(uploads, token, CountedBody(form()), content_type="multipart/form-data").status_code == 400


def test_missing_parts_are_named(uploads: Api, token: IssuedApiToken) -> None:
    answer = send(uploads, token, CountedBody(form(file="other")))
    assert (answer.status_code, answer.content) == (400, b'{"file":["No file was submitted."]}')
    answer = send(uploads, token, CountedBody(form(name="")))
    assert (answer.status_code, answer.content) == (400, b'{"name":["This field is required."]}')


def test_an_upload_leaves_nothing_on_disk(uploads: Api, token: IssuedApiToken, tmp_path: Path) -> None:
    for parts in (form(100_000), form(100_000, closed=False), form(2 * MAXIMUM), form(100_000, file="other")):
        send(uploads, token, CountedBody(parts))
        assert not list(tmp_path.iterdir())


def test_upload_and_its_limits_belong_together() -> None:
    router = Router()

    def without(request: ApiRequest) -> None: ...

    def taking(request: ApiRequest, upload: Upload) -> None: ...

    for handler, limits in ((without, UploadLimits(maximum=1, files=(), about="")), (taking, None)):
        with pytest.raises(ValueError, match="upload"):
            router.operation("POST", "/x", id="x", label="X", about="X", upload=limits)(handler)


def test_the_reference_describes_it(uploads: Api) -> None:
    document = {**openapi.build(uploads), "servers": [{"url": "https://accuhive.api.example.com"}]}
    described = document["paths"][PATH]["post"]
    (content,) = described["requestBody"]["content"].items()
    assert content[0] == "multipart/form-data"
    assert content[1]["schema"]["required"] == ["name", "file"]
    assert content[1]["schema"]["properties"]["file"] == {
        "type": "string",
        "format": "binary",
        "description": "A file.",
    }
    assert {"400", "413", "415"} <= described["responses"].keys()
    ((entry,),) = [section.entries for area in reference_entries.areas(document) for section in area.sections]
    body = reference_examples.body_of(entry, document["components"]["schemas"], {})
    line = reference_examples.curl(entry, body, {})
    assert "-F name=Example" in line
    assert "-F file=@file" in line
    assert "-d " not in line
