"""The storage of files is gone, in the directory and in a bucket, while the API goes on."""

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests import seaweedfs
from tests.faults import table
from tests.faults.conftest import Templates, Trial
from tests.faults.installation import ANOTHER_USER, SQLITE, Installation, children, copied, seconds, signal_all
from tests.faults.load import Call
from tests.processes import wait_for
from tests.scratch import scratch

pytestmark = pytest.mark.faults
type Trials = Callable[[str], Trial]

APPS = "/api/v1/library/custom-apps"
PACKAGE = b"xar!" + bytes(range(256)) * 400


class Uploader:
    """A client that uploads packages, makes Custom Apps of them and downloads them, and remembers each answer."""

    def __init__(self, installation: Installation) -> None:
        self.calls: list[Call] = []
        self._origin = f"http://127.0.0.1:{installation.port}"
        self._headers = {"Authorization": f"Bearer {installation.content.secret}"}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        start = time.monotonic()
        answer = httpx.request(method, self._origin + path, headers=self._headers, timeout=30, **options)
        self.calls.append(
            Call(start, time.monotonic(), method, answer.status_code, answer.content, answer.headers.get("Retry-After"))
        )
        return answer

    def reserve(self) -> Any:
        for _ in range(20):
            answer = self.request("POST", f"{APPS}/upload", json={"name": "Tools.pkg", "filename": "Tools.pkg"})
            if answer.status_code != 503:  # SQLite has much to do
                break
            time.sleep(0.5)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def upload(self, place: Any) -> int:
        """To our own door, or to a bucket."""
        form: dict[str, Any] = {"data": place["post_data"], "files": {"file": ("Tools.pkg", PACKAGE)}}
        if "/files/" in place["post_url"]:
            return self.request("POST", urlsplit(place["post_url"]).path, **form).status_code
        try:
            return httpx.post(place["post_url"], timeout=2, **form).status_code
        except httpx.TransportError:
            return 0

    def create(self, place: Any) -> httpx.Response:
        body = {"name": "Tools", "install_type": "package", "install_enforcement": "install_once"}
        return self.request("POST", APPS, json=body | {"file_key": place["file_key"]})

    def created(self, place: Any) -> Any:
        """The item, once a worker has checked the file."""
        answers: list[httpx.Response] = []

        def done() -> bool:
            answers.append(self.create(place))
            assert answers[-1].status_code in {201, 503}, answers[-1].text
            return answers[-1].status_code == 201

        wait_for(done, 60)
        return answers[-1].json()

    def download(self, item: Any) -> httpx.Response:
        parts = urlsplit(item["file_url"])
        if "/files/" in item["file_url"] or parts.hostname != "127.0.0.1":
            return self.request("GET", f"{parts.path}?{parts.query}")
        return httpx.get(item["file_url"], timeout=2)


@pytest.mark.parametrize("fault", ["directory of files gone 5 s", "directory of files unwritable 5 s"])
def test_directory(installation: Installation, trial: Trials, fault: str) -> None:
    files = installation.directory / "files"
    gone = "gone" in fault
    installation.serve(before=[] if gone else ANOTHER_USER)  # root may write everywhere
    worker = installation.start_worker()
    uploader = Uploader(installation)
    place = uploader.reserve()
    assert uploader.upload(place) == 204
    item = uploader.created(place)
    installation.stop(worker)
    unchecked = uploader.reserve()
    assert uploader.upload(unchecked) == 204
    before = len(uploader.calls)

    def cause() -> None:
        refused = uploader.reserve()
        away = files.rename(files.with_name("away")) if gone else files
        if gone:
            files.touch()  # so that no new directory takes its place
        else:
            subprocess.run(["chmod", "-R", "a-w", files], check=True)
        worker = installation.start_worker()
        statuses = [uploader.upload(refused)]
        statuses += [uploader.download(item).status_code] if gone else []
        seconds(5)
        installation.stop(worker)
        assert set(statuses) == {503}, statuses
        if gone:
            files.unlink()
            away.rename(files)
        else:
            subprocess.run(["chmod", "-R", "u+w", files], check=True)
        assert uploader.upload(refused) == 204
        installation.start_worker()
        # The upload that was acknowledged is checked in the end, although its worker found no storage.
        for each in (refused, unchecked):
            assert uploader.download(uploader.created(each)).content == PACKAGE

    trial(f"{fault}: the others").run(cause)
    calls = uploader.calls[before:]
    line = table.add(f"{fault}: uploads", installation.kind, calls, acknowledged=3, lost=0)
    assert all(call.retry_after for call in calls if call.status == 503), (line, "503 without Retry-After")


@pytest.mark.parametrize("kind", [SQLITE], indirect=True)
def test_bucket(templates: Templates, kind: str, tmp_path: Path) -> None:
    """On one database: the bucket is asked in the same way on both."""
    fault = "bucket frozen 8 s"
    with ExitStack() as stack:
        directory = stack.enter_context(scratch("seaweedfs"))
        installation = copied(templates(kind), tmp_path / "installation")
        stack.callback(installation.close)
        installation.settings |= {
            "IRU_FILES_BUCKET": seaweedfs.BUCKET,
            "IRU_FILES_ENDPOINT": (directory / "url").read_text(),
            "IRU_FILES_REGION": "us-east-1",
            "IRU_FILES_ACCESS_KEY": seaweedfs.ACCESS_KEY,
            "IRU_FILES_SECRET_KEY": seaweedfs.SECRET_KEY,
        }
        make = "from devices.storage.backends import files_storage as f; s = f(); "
        installation.manage("shell", "-v0", "-c", f"{make}s.connection.create_bucket(Bucket=s.bucket_name)")
        installation.serve()
        installation.start_worker()
        uploader = Uploader(installation)
        place = uploader.reserve()
        assert uploader.upload(place) == 204
        item = uploader.created(place)
        weed = weed_processes(directory)

        def cause() -> None:
            signal_all(weed, signal.SIGSTOP)
            try:
                waiting = uploader.reserve()
                assert uploader.upload(waiting) == 0
                seconds(1)
                assert uploader.create(waiting).status_code == 503
                seconds(8)
            finally:
                signal_all(weed, signal.SIGCONT)
            assert uploader.upload(waiting) == 204
            assert uploader.download(uploader.created(waiting)).content == PACKAGE
            assert uploader.download(item).content == PACKAGE

        Trial(f"{fault}: the others", installation).run(cause)
        table.add(f"{fault}: uploads", kind, uploader.calls, acknowledged=2, lost=0)
        assert all(call.retry_after for call in uploader.calls if call.status == 503)


def weed_processes(directory: Path) -> list[int]:
    found = subprocess.run(["pgrep", "-f", f"weed server -dir={directory}"], capture_output=True, text=True, check=True)
    pids = [int(each) for each in found.stdout.split()]
    return [*pids, *(child for pid in pids for child in children(pid))]
