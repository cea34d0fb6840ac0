import gc
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import pytest
import stamina
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from access.limits import leases
from access.limits.stores import InProcess
from access.models import Administrator, ApiToken, Role, Tenant
from access.sign_in.hashing import OneAtATimeArgon2
from access.tasks.worker import Worker
from tests import chromium, database, plans
from tests.apple import Apple
from tests.clients import NO_PACKAGES
from tests.deploy import NO_PROGRAM
from tests.factories.access import AdministratorFactory, ApiTokenFactory, TenantFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response, RunTasks

# --- The run ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    with database.prepared(connections["default"].settings_dict):
        yield
        connections.close_all()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Dropped with the server or the directory that it lives in, not by a statement of its own that may time out."""
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    with database.flushable():
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Argon2id at its lowest cost: a hundred tests set or check passwords. `hashing.py` has the real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OneAtATimeArgon2, "time_cost", 1)
        patch.setattr(OneAtATimeArgon2, "memory_cost", 8)
        yield


@pytest.fixture(scope="session", autouse=True)
def files_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of the embedded storage, here and in processes that a test starts. It is made when needed."""
    directory = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.STORAGES["files"]["OPTIONS"], "location", str(directory))
        patch.setenv("IRU_FILES_DIR", str(directory))
        yield directory


@pytest.fixture(scope="session", autouse=True)
def calls_counted_in_memory() -> Iterator[None]:
    """The limits of calls are counted in memory: a lease would be one more query of a test now and then.

    The tests of the limits use the stores of the product.
    """
    with pytest.MonkeyPatch.context() as patch:
        memory = InProcess(processes=1)
        patch.setattr(leases, "_store", lambda: memory)
        yield


NO_BROWSER = "no Chromium: nothing that people see or click is tested. Install one, or name it in IRU_CHROMIUM"
# What a machine may lack for `.ci/run`, which sets IRU_FORBID_SKIPS: any other skipped test fails there.
ALLOWED_SKIPS = (NO_PACKAGES, NO_PROGRAM)
BY_HAND = ("faults", "cluster")  # markers of the suites that `-m` has to name


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts a run with "&" so, and processes of tests would inherit it: Ctrl-C would not stop them.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    # A timer that counts the errors of a test's lost database may end after pytest has closed the streams.
    logging.raiseExceptions = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    other = "postgres_only" if connection.vendor == "sqlite" else "sqlite_only"
    # A worker has the files of one part of several, or all: `2/3` is the second part of three.
    part, _, parts = os.environ.get("IRU_TEST_PART", "1/1").partition("/")
    # A worker has the browser tests only, all others, or both.
    browsers = {"only": {True}, "no": {False}}.get(os.environ.get("IRU_TEST_BROWSER", ""), {True, False})
    # These are run by hand: they take long, and the machine for themselves.
    by_hand = [name for name in BY_HAND if name not in (config.option.markexpr or "")]
    selected: list[pytest.Item] = []
    deselected: list[pytest.Item] = []

    @cache
    def in_another_part(path: Path) -> bool:
        return crc32(path.relative_to(config.rootpath).as_posix().encode()) % int(parts) != int(part) - 1

    for item in items:
        if any(item.get_closest_marker(name) for name in by_hand):
            deselected.append(item)
            continue
        browser = item.get_closest_marker("browser") is not None
        excluded = in_another_part(item.path) or item.get_closest_marker(other) or browser not in browsers
        (deselected if excluded else selected).append(item)
    items[:] = selected
    config.hook.pytest_deselected(items=deselected)
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker("slow")
    # The tests, the models and the templates stay until the end: going through them again and again takes a tenth of
    # the time of the run.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and chromium.find() is None:
        pytest.skip(NO_BROWSER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("IRU_FORBID_SKIPS") and _reason(report) not in ALLOWED_SKIPS:
        report.outcome = "failed"
        report.longrepr = f"This run forbids skipped tests, and this one was skipped: {_reason(report)}"
    if report.failed:
        report.sections.append(("Database", connection.vendor))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("DID NOT RUN", sep="!", red=True, bold=True)
        for reason, tests in reasons.items():
            terminalreporter.line(f"{tests} tests: {reason}", red=True)


def _reason(report: pytest.TestReport) -> str:
    """Why the test was skipped, in the words of its skip."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(text).removeprefix("Skipped: ")


# --- What most tests start from ---------------------------------------------------------------------------------------


@pytest.fixture
def analyze(db: None) -> Iterator[Callable[[], None]]:
    """`analyze()` gives the planner the statistics of the rows that the test has made, until the end of the test."""
    yield plans.analyze
    plans.forget_statistics()


@pytest.fixture
def tenant(db: None) -> Tenant:
    return TenantFactory.create(name="Accuhive", subdomain="accuhive")


@pytest.fixture
def other_tenant(db: None) -> Tenant:
    return TenantFactory.create(name="Elsewhere", subdomain="elsewhere")


@pytest.fixture
def owner(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, role=Role.OWNER, email="owner@accuhive.test")


@pytest.fixture
def operator(db: None) -> Administrator:
    return AdministratorFactory.create(operator=True)


@pytest.fixture
def issue_token(tenant: Tenant) -> IssueToken:
    """`issue_token("list_devices", …)`: a token of `tenant` with these permissions, and its `secret`."""

    def issue(*permissions: str, **fields: Any) -> IssuedApiToken:
        return ApiTokenFactory.create(**{"tenant": tenant, "permissions": permissions, **fields})

    return issue


@pytest.fixture
def run_tasks(db: None) -> RunTasks:
    """`run_tasks()`: do here and now what a worker would do with the queue. Returns the number of tasks that ran."""

    def run() -> int:
        worker = Worker()
        return sum(1 for _ in iter(worker.run_next, False))

    return run


def multipart(fields: dict[str, Any]) -> dict[str, Any]:
    """A body as a multipart form. Values of type bytes become files with the names of their fields."""
    files = {
        name: SimpleUploadedFile(name, value) if isinstance(value, bytes) else value for name, value in fields.items()
    }
    return {"data": encode_multipart(BOUNDARY, files), "content_type": MULTIPART_CONTENT}


@pytest.fixture
def api() -> Call:
    """`api("GET", "/api/v1/devices", token)`: one call, as an integration makes it, on the host of the token's tenant.

    `token` is one of a factory, or the bare text to send, or None. `json` is sent as body: as a multipart form if a
    value in it is the bytes of a file. The call never raises: an error of the server is the 500 that a client gets.
    """

    def call(
        method: str,
        path: str,
        token: ApiToken | str | None = None,
        *,
        host: str | None = None,
        json: Any = None,
        **options: Any,
    ) -> Response:
        headers = {"host": host or (token.tenant.api_host if isinstance(token, ApiToken) else "accuhive.api.iru.test")}
        if token is not None:
            headers["authorization"] = f"Bearer {getattr(token, 'secret', token)}"
        headers.update(options.pop("headers", {}))
        if isinstance(json, dict) and any(isinstance(value, bytes) for value in json.values()):
            options = {**multipart(json), **options}
        elif json is not None:
            options = {"data": orjson.dumps(json), "content_type": "application/json", **options}
        response: Response = Client(raise_request_exception=False).generic(method, path, headers=headers, **options)
        return response

    return call


@pytest.fixture
def apple(settings: Any) -> Iterator[Apple]:
    """Apple's device enrollment service. It answers at once, and failed requests are repeated at once."""
    with Apple() as service, stamina.set_testing(True, attempts=10, cap=True):
        settings.IRU_ADE_URL = service.url
        yield service
