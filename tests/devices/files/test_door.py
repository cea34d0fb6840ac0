"""The door for files over the embedded storage: what only our own server has to keep."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from access.models import Tenant
from devices.models import StoredFile
from devices.storage import files
from devices.storage.files import Reservation
from tests.devices.files.forms import FORM, file, form
from tests.types import RunTasks

ORIGIN = "http://accuhive.api.iru.test"
CONTENT = b"xar!" + bytes(range(256)) * 1000


@pytest.fixture
def directory(files_directory: Path) -> Path:
    return files_directory


@pytest.fixture
def reservation(tenant: Tenant, owner: Any) -> Reservation:
    from access.audit.events import Actor

    return files.reserve(
        tenant=tenant, purpose=StoredFile.Purpose.CUSTOM_APP, name="Tools 1.pkg", origin=ORIGIN, actor=Actor.of(owner)
    )


def post(url: str, body: bytes, **headers: str) -> Any:
    parts = urlsplit(url)
    client = Client(raise_request_exception=False)
    return client.generic("POST", parts.path, body, content_type=FORM, headers={"host": parts.netloc, **headers})


def get(url: str, method: str = "GET", **headers: str) -> Any:
    parts = urlsplit(url)
    client = Client(raise_request_exception=False)
    return client.generic(method, f"{parts.path}?{parts.query}", headers={"host": parts.netloc, **headers})


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def stored(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_a_file_goes_up_and_comes_down(directory: Path, reservation: Reservation, run_tasks: RunTasks) -> None:
    url, fields = reservation.post.url, reservation.post.fields
    assert url == f"{ORIGIN}/files/"
    answer = post(url, form(fields, file(CONTENT)), authorization="Bearer nonsense")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["ETag"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    assert answer["Location"].startswith(url)
    assert stored(directory) == [directory / fields["key"]]
    assert run_tasks() == 1
    row = StoredFile.objects.get()
    assert (row.state, row.size, row.sha256) == ("ready", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    link = files.signed_url(row, origin=ORIGIN)
    down = get(link)
    assert (down.status_code, body(down)) == (200, CONTENT)
    assert down["Content-Disposition"] == 'attachment; filename="Tools 1.pkg"'
    assert down["Content-Length"] == str(len(CONTENT))
