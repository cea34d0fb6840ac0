"""A worker is killed in each kind of task: between the transactions of the task, and before its result is stored."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Trial
from tests.faults.installation import Installation
from tests.faults.test_storage import Uploader
from tests.faults.workers import COMMITTED, DONE
from tests.processes import wait_for

pytestmark = pytest.mark.faults

TASKS = "SELECT task_path, status FROM django_tasks_database_dbtaskresult"
# A message as it is printed. The Message-ID comes after the subject.
MAIL = re.compile(r"^Subject: (Your account|Choose a new password).*?^Message-ID: (\S+)", re.MULTILINE | re.DOTALL)


def test_killed_in_each_kind_of_task(installation: Installation, trial: Callable[[str], Trial], tmp_path: Path) -> None:
    installation.settings |= {"EMAIL_URL": "consolemail://"}
    installation.serve()
    uploader = Uploader(installation)
    place = uploader.reserve()
    assert uploader.upload(place) == 204
    kinds = json.loads(installation.run("-m", "tests.faults.tasks"))
    expected = {f"{kind} {point}" for kind in kinds for point in (COMMITTED, DONE)}
    (noted := tmp_path / "noted").mkdir()

    def unfinished() -> list[str]:
        return [path for path, status in installation.rows(TASKS) if status in {"READY", "RUNNING"}]

    def cause() -> None:
        worker = installation.start_worker("-m", "tests.faults.workers", str(noted))
        wait_for(lambda: len(list(noted.iterdir())) == len(expected) and not unfinished(), 240)
        installation.stop(worker)

    # Without those that make tokens: each new one has a mail, a message of a webhook, and a task for both.
    trial(f"worker killed twice in each of {len(kinds)} kinds of task").run(cause, tokens=0)
    assert {each.name for each in noted.iterdir()} == expected
    failed = [(path, status) for path, status in installation.rows(TASKS) if status != "SUCCESSFUL"]
    assert not failed
    # What the tasks did, they did once. A mail that was sent again has the same Message-ID.
    devices = len(installation.content.devices)
    assert installation.rows("SELECT total, done FROM devices_bulkaction") == [(devices, devices)]
    assert installation.rows("SELECT count(*), count(DISTINCT device_id) FROM devices_device_tags") == [
        (devices, devices)
    ]
    assert installation.rows("SELECT status, attempts FROM devices_prismexport") == [("success", 2)]
    assert uploader.create(place).status_code == 201
    summary = "Token reported as leaked and disabled"
    assert installation.rows(f"SELECT count(*) FROM access_auditevent WHERE summary = '{summary}'") == [(1,)]
    sent = Counter(MAIL.findall((installation.directory / "worker.log").read_text()))
    assert len(sent) == 2
    assert min(sent.values()) > 1, sent
