import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.faults import table
from tests.faults.installation import POSTGRESQL, SQLITE, Installation, copied, seconds, template
from tests.faults.load import GOOD, NO_ANSWER, UNAVAILABLE, Load, recovery, statuses

HANGS = 8.0  # seconds that no answer may need: SQLite's queue waits for 5, and this machine does other work too
RECOVERS = 3.0  # seconds: the pause of one second after a frozen database, and this machine


class Templates(Protocol):
    def __call__(self, kind: str) -> Installation: ...


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    made: dict[str, Installation] = {}

    def get(kind: str) -> Installation:
        if kind not in made:
            made[kind] = template(kind, tmp_path_factory.mktemp(f"template-{kind}"))
        return made[kind]

    return get


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def installation(kind: str, templates: Templates, tmp_path: Path) -> Iterator[Installation]:
    """A database with content, of its own, that runs. The test starts servers and workers."""
    installation = copied(templates(kind), tmp_path / "installation")
    try:
        installation.start_database()
        yield installation
    finally:
        installation.close()


class Trial:
    """One fault under load: `with trial(…) as load:` breaks something inside, and ends it at the end of the block."""

    def __init__(self, fault: str, installation: Installation) -> None:
        self._fault, self._installation = fault, installation

    def run(
        self,
        cause: Callable[[], Any],
        *,
        broken: bool = False,
        recovers: float | None = RECOVERS,
        hangs: float = HANGS,
        after: float = 4.0,
        note: str = "",
        **options: Any,
    ) -> Load:
        """Call the server for a while before, during and after `cause`, and judge the answers.

        `broken`: connections may end without an answer, because a process of the server is killed.
        """
        load = self._installation.load(**options)
        with load.running():
            seconds(2)
            assert any(call.good for call in load.calls), table.answers(statuses(load.calls))
            cause()
            ended = time.monotonic()
            seconds(after)
        lost = load.lost()
        took = recovery(load.calls, ended)
        acknowledged = load.ledger.acknowledged
        line = table.add(
            self._fault,
            self._installation.kind,
            load.calls,
            acknowledged=acknowledged,
            lost=lost,
            recovery=took,
            note=note,
        )
        expected = {*GOOD, UNAVAILABLE, *([NO_ANSWER] if broken else [])}
        assert {call.status for call in load.calls} <= expected, line
        assert all(call.retry_after for call in load.calls if call.status == UNAVAILABLE), "503 without Retry-After"
        assert (lost, load.ledger.late) == (0, 0), line
        assert max(call.end - call.start for call in load.calls) < hangs, line
        assert recovers is None or took < recovers, line
        self._installation.manage("verify_audit")
        self._installation.manage("check_records")
        return load


@pytest.fixture
def trial(installation: Installation, request: pytest.FixtureRequest) -> Callable[[str], Trial]:
    return lambda fault: Trial(fault, installation)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if table.lines:
        terminalreporter.section("FAULTS (a shared machine: times are upper bounds)")
        for line in table.text():
            terminalreporter.line(line)
