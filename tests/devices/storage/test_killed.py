"""kill -9 of the server and of the worker in the middle of uploads, checks, new items, exports and downloads.

No answered call is lost, no partial file is visible, the same call succeeds when it is repeated, and the clean-up
deletes everything that the interrupted calls left.

Each test starts a dozen processes, and runs on one of the databases: the order in which files and rows are written is
the same on both.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.models import TaskLease, Tenant
from devices.demo.app_uploads import icon_file, ipa_file
from devices.models import StoredFile
from devices.prism import exports
from devices.prism.exports import clean_up_exports
from devices.storage.embedded import INCOMING
from devices.storage.upkeep import clean_up_files
from tests import killing
from tests.browser.servers import free_port
from tests.devices.prism.reports import fleet_with_apps
from tests.factories.devices import PROFILE
from tests.processes import managed, status, wait_for
from tests.types import IssuedApiToken, IssueToken, RunTasks

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PACKAGE = b"xar!" + bytes(range(256)) * 8192  # 2 MiB: it arrives in several pieces
PATIENCE = 240  # seconds, for processes that start on a busy machine
CUSTOM_APPS, IPA_APPS = "/api/v1/library/custom-apps", "/api/v1/library/ipa-apps"
APP = {"name": "Tools", "install_type": "package", "install_enforcement": "install_once"}


class Installation:
    """A server and workers that can be killed at a point and started again, and a client that calls the server."""

    def __init__(self, token: IssuedApiToken, directory: Path, stack: ExitStack, others: set[Path]) -> None:
        self._stack, self._armed = stack, directory / "armed"
        self.others = others  # files of other tests, whose rows are gone
        self.port, self.temporary = free_port(), directory / "tmp"
        self.temporary.mkdir()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {token.secret}"},
            transport=httpx.HTTPTransport(),
            timeout=PATIENCE,
        )
        stack.enter_context(self.client)

    def _start(self, *arguments: str) -> Any:
        extra = killing.ends_itself(self._armed) | {"TMPDIR": str(self.temporary)}
        return self._stack.enter_context(managed(*arguments, extra=extra))

    def start(self) -> None:
        self._server = self._start("serve", "--port", str(self.port))
        wait_for(lambda: self._server.poll() is not None or status(self.port) == 200, PATIENCE)
        assert self._server.poll() is None, "the server ended"

    def killed(self, point: str, call: Callable[[], httpx.Response]) -> None:
        """Make a call during which the server is killed, and start the server again."""
        killing.arm(self._armed, point)
        with pytest.raises(httpx.TransportError):
            call()
        self._server.wait(PATIENCE)
        self.start()

    def worker_killed(self, point: str) -> None:
        """Run a worker until it is killed, and end its lease, as another worker does after 15 seconds."""
        killing.arm(self._armed, point)
        worker = self._start("worker")
        worker.wait(PATIENCE)
        assert not self._armed.exists(), point
        TaskLease.objects.update(until=timezone.now() - timedelta(minutes=1))

    def work(self, address: str, waiting: str) -> None:
        """Run another worker until the status at this address is no longer `waiting`."""

        def ended() -> bool:
            DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now())
            return bool(self.get(address)["status"] != waiting)

        with managed("worker"):
            wait_for(ended, PATIENCE)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.client.post(path, json=body, **options)

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reserve(self, kind: str, name: str) -> Any:
        answer = self.post(f"{kind}/upload", {"name": name, "filename": name})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def upload(self, place: Any, content: bytes) -> httpx.Response:
        return self.client.post(
            urlsplit(place["post_url"]).path, data=place["post_data"], files={"file": ("file", content)}
        )

    def download(self, url: str, **headers: str) -> httpx.Response:
        parts = urlsplit(url)
        return self.client.get(f"{parts.path}?{parts.query}", headers=headers)


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    kinds = ("custom_app", "ipa_app")
    names = [name for kind in kinds for name in (f"upload_{kind}", f"create_{kind}", f"get_{kind}", f"list_{kind}s")]
    return issue_token(
        *names,
        "get_ipa_upload_status",
        "create_custom_profile",
        "list_custom_profiles",
        "prism_request_export",
        "prism_get_export",
    )


@pytest.fixture
def installation(token: IssuedApiToken, files_directory: Path, tmp_path: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        installation = Installation(token, tmp_path, stack, set(_files(files_directory)))
        installation.start()
        yield installation
    for path in set(_files(files_directory)) - installation.others:
        path.unlink()


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file())


def expire(directory: Path, *, days: int) -> None:
    """Make all files this number of days older."""
    past = timedelta(days=days)
    for row in StoredFile.objects.exclude(expires_at=None):
        StoredFile.objects.filter(pk=row.pk).update(expires_at=(row.expires_at or timezone.now()) - past)
    for path in (directory / INCOMING).glob("*"):
        os.utime(path, (path.stat().st_mtime - past.total_seconds(),) * 2)


def clean_up(directory: Path, *, days: int) -> None:
    """Run the clean-up tasks as if after this number of days."""
    expire(directory, days=days)
    clean_up_exports.func()
    clean_up_files.func()


def assert_clean(installation: Installation, tenant: Tenant, directory: Path, *kept: str) -> None:
    """These files exist, and no others: as rows, in the storage, and in the system's temporary directory."""
    assert sorted(tenant.files.values_list("key", flat=True)) == sorted(kept)
    assert set(_files(directory)) - installation.others == {directory / key for key in kept}
    assert list(installation.temporary.iterdir()) == []


@pytest.mark.sqlite_only
def test_uploads(installation: Installation, tenant: Tenant, files_directory: Path, run_tasks: RunTasks) -> None:
    kept = []
    for point, refusal in (
        ("an upload begins", 400),
        ("its bytes arrive", 400),
        ("its bytes are on the disk", 400),
        ("it is in its place, and not committed", 400),
        ("it is committed, and not answered", 503),
    ):
        place = installation.reserve(CUSTOM_APPS, "Tools.pkg")
        body = APP | {"file_key": place["file_key"]}
        installation.killed(point, partial(installation.upload, place, PACKAGE))
        assert installation.post(CUSTOM_APPS, body).status_code == refusal, point
        again = installation.upload(place, PACKAGE)
        assert again.status_code == 204, point
        assert again.headers["ETag"] == f'"{hashlib.md5(PACKAGE).hexdigest()}"'
        run_tasks()
        created = installation.post(CUSTOM_APPS, body)
        assert created.status_code == 201, point
        assert installation.download(created.json()["file_url"]).content == PACKAGE
        kept.append(place["file_key"])
    abandoned = installation.reserve(CUSTOM_APPS, "Abandoned.pkg")
    installation.killed("its bytes arrive", lambda: installation.upload(abandoned, PACKAGE))
    abandoned = installation.reserve(CUSTOM_APPS, "Abandoned.pkg")
    installation.killed("it is in its place, and not committed", lambda: installation.upload(abandoned, PACKAGE))
    expire(files_directory, days=3)
    installation.worker_killed("a file is deleted, and its row is not")
    clean_up(files_directory, days=0)
    assert_clean(installation, tenant, files_directory, *kept)


@pytest.mark.postgres_only
def test_checks_of_uploads(installation: Installation, tenant: Tenant, files_directory: Path) -> None:
    kept = []
    content = ipa_file()
    for point, word in (
        ("it is hashed", "UPLOADED"),
        ("the .ipa is read", "UPLOADED"),
        ("an icon is stored", "UPLOADED"),
        ("the check is noted", "VALIDATED"),
    ):
        place = installation.reserve(IPA_APPS, "Sammy.ipa")
        address = f"{IPA_APPS}/upload/{place['id']}/status"
        assert installation.upload(place, content).status_code == 204
        installation.worker_killed(point)
        assert installation.get(address)["status"] == word, point
        installation.work(address, "UPLOADED")
        checked = installation.get(address)
        assert (checked["status"], checked["sha256"]) == ("VALIDATED", hashlib.sha256(content).hexdigest()), point
        created = installation.post(IPA_APPS, {"name": "Sammy", "file_key": place["file_key"]})
        assert created.status_code == 201, point
        item = created.json()
        assert installation.download(item["file_url"]).content == content
        assert installation.download(checked["metadata"]["app_icon"]).content == icon_file(120)
        kept += [place["file_key"], item["icon"], item["ipad_icon"]]
    clean_up(files_directory, days=3)
    assert_clean(installation, tenant, files_directory, *kept)


@pytest.mark.postgres_only
def test_new_items(installation: Installation, tenant: Tenant, files_directory: Path, run_tasks: RunTasks) -> None:
    def create(place: Any, **headers: str) -> httpx.Response:
        return installation.post(CUSTOM_APPS, APP | {"file_key": place["file_key"]}, headers=headers)

    kept: list[str] = []
    for point, created, answered_again in (
        ("an item is about to be created", 0, None),
        ("an item is created, and not committed", 0, None),
        ("an item is committed, and not answered", 1, "true"),
    ):
        place = installation.reserve(CUSTOM_APPS, "Tools.pkg")
        assert installation.upload(place, PACKAGE).status_code == 204
        run_tasks()
        key = {"Idempotency-Key": place["file_key"].rpartition("/")[2]}
        installation.killed(point, partial(create, place, **key))
        rows = installation.get(CUSTOM_APPS)["results"]
        assert len(rows) == len(kept) + created, point
        # Each file that exists is complete.
        assert all(installation.download(row["file_url"]).content == PACKAGE for row in rows)
        tenant.idempotent_calls.filter(status=None).update(started_at=timezone.now() - timedelta(hours=1))
        again = create(place, **key)
        assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, answered_again), point
        kept.append(place["file_key"])
        assert [row["file_key"] for row in installation.get(CUSTOM_APPS)["results"]] == kept
    profiles, file = "/api/v1/library/custom-profiles", {"file": ("wifi.mobileconfig", PROFILE)}
    send = partial(installation.client.post, profiles, data={"name": "Wi-Fi"}, files=file)
    installation.killed("a profile is received", send)
    assert installation.get(profiles)["count"] == 0
    clean_up(files_directory, days=3)
    assert_clean(installation, tenant, files_directory, *kept)


@pytest.mark.sqlite_only
def test_exports(installation: Installation, tenant: Tenant, files_directory: Path) -> None:
    fleet_with_apps(tenant, 50, *(f"App {number} {'x' * 900}" for number in range(50)))
    kept = []
    for point, word in (
        ("a CSV is written", "pending"),
        ("a CSV is stored", "pending"),
        ("an export is noted", "success"),
    ):
        asked = installation.post("/api/v1/prism/export", {"category": "apps"})
        assert asked.status_code == 200
        address = f"/api/v1/prism/export/{asked.json()['id']}"
        installation.worker_killed(point)
        assert installation.get(address)["status"] == word, point
        installation.work(address, "pending")
        done = installation.get(address)
        assert (done["status"], done["row_count"]) == ("success", 2500), point
        content = installation.download(done["signed_url"]).content
        assert content.count(b"\r\n") == 2501, point
        (key,) = tenant.exports.filter(uuid=done["id"]).values_list("file__key", flat=True)
        kept.append(key)
    installation.killed("a download streams", lambda: installation.download(done["signed_url"]))
    rest = installation.download(done["signed_url"], Range="bytes=1000-")
    assert (rest.status_code, rest.content) == (206, content[1000:])
    clean_up(files_directory, days=1)
    assert_clean(installation, tenant, files_directory, *kept)
    clean_up(files_directory, days=7 + exports.LINK.days)
    assert_clean(installation, tenant, files_directory)
