"""The links by which a device fetches an app. Its installer shows nothing else, so a link leads to little."""

import plistlib
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.test import Client

from access.models import Tenant
from devices.demo.app_uploads import ipa_file
from devices.files import downloads
from devices.library.ipa_apps import update_app
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, DeviceItem, Enrollment, LibraryItem, StoredFile
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.in_house import upload
from tests.devices.mdm.test_budget import counted
from tests.devices.mdm.test_rollout import assign, remove
from tests.devices.sending import ACTOR

pytestmark = pytest.mark.django_db
HOST = "accuhive.mdm.iru.test"


def ask(url: str, method: str = "GET", host: str = "", **headers: str) -> Any:
    parts = urlsplit(url)
    client = Client(raise_request_exception=False)
    return client.generic(method, parts.path, headers={"host": host or parts.netloc, **headers})


def body(answer: Any) -> bytes:
    return b"".join(answer)


@pytest.fixture
def manifest(blueprint: Blueprint, phone: SimulatedDevice, app: LibraryItem) -> str:
    """The link that the device was sent. Its answer is on its way."""
    assign(blueprint, app)
    url: str = plistlib.loads(phone.say("Idle").body)["Command"]["ManifestURL"]
    return url


@pytest.fixture
def file(manifest: str) -> str:
    url: str = plistlib.loads(ask(manifest).content)["items"][0]["assets"][0]["url"]
    return url


def signed(content: str) -> str:
    """A link of this server with any content."""
    return f"http://{HOST}/files/{signing.TimestampSigner(salt='devices.library.desired.links', sep='.').sign(content)}"


def test_the_manifest_says_where_the_file_is_and_which_app_is_in_it(manifest: str) -> None:
    answer = ask(manifest)
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "application/xml", "no-store")
    (item,) = plistlib.loads(answer.content)["items"]
    stored_file = StoredFile.objects.get(purpose="ipa_apps")
    (asset,) = item["assets"]
    assert asset == {
        "kind": "software-package",
        "url": asset["url"],
        "sha256-size": len(ipa_file()),
        "sha256s": [stored_file.sha256],
    }
    assert item["metadata"] == {
        "kind": "software",
        "bundle-identifier": "com.accuhive.expenses",
        "bundle-version": "3.2.1",
        "title": "Expenses",
    }
    assert {urlsplit(url).netloc for url in (manifest, asset["url"])} == {HOST}


def test_the_file_arrives_whole_and_in_parts(file: str) -> None:
    content = ipa_file()
    answer = ask(file)
    assert (answer.status_code, answer["Content-Length"], body(answer)) == (200, str(len(content)), content)
    part = ask(file, range="bytes=100-199")
    assert (part.status_code, part["Content-Range"]) == (206, f"bytes 100-199/{len(content)}")
    assert body(part) == content[100:200]
    assert ask(file, range=f"bytes={len(content)}-").status_code == 416
    head = ask(file, "HEAD")
    assert (head.status_code, head["Content-Length"], body(head)) == (200, str(len(content)), b"")
    rehearsal = ask(file.replace(f"//{HOST}", "//localhost/mdm/accuhive"))
    assert (rehearsal.status_code, body(rehearsal)) == (200, content)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_link_is_read_only(method: str, file: str, manifest: str) -> None:
    assert {ask(url, method).status_code for url in (file, manifest)} == {405}


def test_a_link_expires(file: str, manifest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for life, manifest_status, file_status in (
        (timedelta(minutes=59), 200, 200),
        (timedelta(minutes=61), 404, 200),
        (timedelta(hours=23), 404, 200),
        (timedelta(hours=25), 404, 404),
    ):
        monkeypatch.setattr(time, "time", partial(float, now + life.total_seconds()))
        assert (ask(manifest).status_code, ask(file).status_code) == (manifest_status, file_status)


@pytest.mark.parametrize("number", range(6))
def test_a_link_that_was_altered_is_refused_without_a_query(number: int, file: str) -> None:
    base, token = file.rsplit("/", 1)
    parts = token.split(".")
    parts[number] = {0: "m", 1: "999", 2: "0" * 32, 3: "1" * 64, 4: "1zzzzz", 5: "A" * 43}[number]
    with counted(0, "An altered link"):
        assert ask(f"{base}/{'.'.join(parts)}").status_code == 404


@pytest.mark.parametrize("token", ["", "x", "f", "a/b", "%00", "..%2f..", "f." * 1000, "é" * 100, "m" * 301])
def test_what_is_no_link_is_refused_without_a_query(token: str, mdm: Tenant) -> None:
    with counted(0, "No link"):
        assert ask(f"http://{HOST}/files/{token}").status_code == 404


def test_a_link_signed_for_something_else_is_refused(file: str) -> None:
    content = file.rsplit("/", 1)[1].rsplit(".", 2)[0]
    assert ask(signed(content)).status_code == 200  # the next ones differ from this in one thing each
    other = signing.TimestampSigner(salt="devices.enrollment.links", sep=".").sign(content)
    assert ask(f"http://{HOST}/files/{other}").status_code == 404
    kind, enrollment, item, version = content.split(".")
    assert ask(signed(f"{kind}.{int(enrollment) + 1000}.{item}.{version}")).status_code == 404
    assert ask(signed(f"{kind}.{enrollment}.{'0' * 32}.{version}")).status_code == 404
    assert ask(signed(f"{kind}.{enrollment}.{item}.{'0' * 64}")).status_code == 404


def test_a_link_belongs_to_one_device(file: str, new_device: NewDevice, blueprint: Blueprint) -> None:
    other = new_device("ipad")
    enrollment = Enrollment.objects.get(device=stored(other))
    kind, _, item, version = file.rsplit("/", 1)[1].rsplit(".", 2)[0].split(".")
    theirs = signed(f"{kind}.{enrollment.pk}.{item}.{version}")
    assert ask(theirs).status_code == 404  # it is not to have the app, or was not told yet
    other.say("Idle")
    remove(blueprint, LibraryItem.objects.get())
    other.connect()
    assert (ask(file).status_code, ask(theirs).status_code) == (200, 404)


def test_a_link_belongs_to_one_tenant(file: str, manifest: str, other_tenant: Tenant) -> None:
    for url in (file, manifest):
        assert ask(url, host=f"{other_tenant.mdm_label}.mdm.iru.test").status_code == 404
        assert ask(url, host="nobody.mdm.iru.test").status_code == 404
        assert ask(url, host="accuhive.api.iru.test").status_code in {403, 404}


def test_a_link_ends_with_the_enrollment(file: str, manifest: str, phone: SimulatedDevice) -> None:
    phone.unenroll()
    assert DeviceItem.objects.count() == 0
    assert {ask(url).status_code for url in (file, manifest)} == {404}


@pytest.mark.parametrize("state", ["authenticated", "out", "evicting", "evicted"])
def test_a_link_needs_a_device_that_is_enrolled(state: str, file: str, manifest: str) -> None:
    Enrollment.objects.update(state=state)
    assert {ask(url).status_code for url in (file, manifest)} == {404}


def test_a_link_ends_when_the_organization_is_suspended(file: str, manifest: str, tenant: Tenant) -> None:
    tenant.active = False
    tenant.save()
    assert {ask(url).status_code for url in (file, manifest)} == {404}


def test_a_link_ends_when_the_device_is_not_to_have_the_app(
    file: str,
    manifest: str,
    blueprint: Blueprint,
    phone: SimulatedDevice,
    app: LibraryItem,
) -> None:
    phone.connect()
    assert ask(file).status_code == 200
    remove(blueprint, app)
    phone.say("Idle")
    assert {ask(url).status_code for url in (file, manifest)} == {404}


def test_a_link_ends_with_its_version(
    file: str,
    manifest: str,
    tenant: Tenant,
    app: LibraryItem,
) -> None:
    update_app(tenant=tenant, item_id=app.uuid, actor=ACTOR, file_key=upload(tenant, CFBundleVersion="413"))
    assert {ask(url).status_code for url in (file, manifest)} == {404}


def test_a_link_to_a_file_that_is_lost(file: str, directory: Path) -> None:
    for path in directory.rglob("*.ipa"):
        path.unlink()
    assert ask(file).status_code == 404


def test_a_link_leads_to_the_bucket_that_the_file_is_in(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bucket:
        embedded = False

        def signed_url(self, key: str, *, origin: str, lifetime: timedelta, filename: str) -> str:
            return f"https://bucket.example.com/{key}?for={int(lifetime.total_seconds())}"

    monkeypatch.setattr(downloads, "files_storage", Bucket)
    answer = ask(file)
    key = StoredFile.objects.get(purpose="ipa_apps").key
    assert (answer.status_code, answer["Location"]) == (302, f"https://bucket.example.com/{key}?for=300")


def test_a_link_costs_one_query(file: str, manifest: str) -> None:
    for url in (file, manifest):
        with counted(1, "A link"):
            assert ask(url).status_code == 200


def test_a_link_is_in_no_log_line_of_a_refusal(
    file: str,
    caplog: pytest.LogCaptureFixture,
    phone: SimulatedDevice,
) -> None:
    phone.unenroll()
    caplog.set_level("DEBUG")
    assert ask(file).status_code == 404
    assert "device" in caplog.text
    assert file.rsplit("/", 1)[1] not in caplog.text
