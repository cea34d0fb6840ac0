"""The database stops, freezes, refuses, or is held by somebody else."""

from collections.abc import Callable

import pytest

from tests.faults import table
from tests.faults.conftest import Trial
from tests.faults.installation import POSTGRESQL, SQLITE, Installation, seconds

pytestmark = pytest.mark.faults
type Trials = Callable[[str], Trial]

ALL_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'iru' AND pid <> pg_backend_pid()"


@pytest.fixture(autouse=True)
def server(installation: Installation) -> None:
    installation.serve()


@pytest.mark.parametrize("kind", [POSTGRESQL], indirect=True)
def test_stopped(installation: Installation, trial: Trials) -> None:
    table.without("database stopped 5 s", SQLITE, "has no server")

    def cause() -> None:
        installation.stop_database()
        seconds(5)
        installation.start_database()

    trial("database stopped 5 s").run(cause)


@pytest.mark.parametrize("duration", [8, 25])
def test_frozen(installation: Installation, trial: Trials, duration: int) -> None:
    if installation.kind == SQLITE:
        fault, held = f"write lock held {duration} s", installation.write_locked()
    else:
        fault, held = f"database frozen {duration} s", installation.frozen()

    def cause() -> None:
        with held:
            seconds(duration)

    trial(fault).run(cause)


@pytest.mark.parametrize("kind", [POSTGRESQL], indirect=True)
def test_connections_killed(installation: Installation, trial: Trials) -> None:
    table.without("connections killed, 10 x 0.3 s", SQLITE, "has no connections to a server")

    def cause() -> None:
        with installation.connect() as connection:
            for _ in range(10):
                connection.execute(ALL_OTHERS)
                seconds(0.3)

    trial("connections killed, 10 x 0.3 s").run(cause)


def test_locks(installation: Installation, trial: Trials) -> None:
    def cause() -> None:
        if installation.kind == SQLITE:
            for _ in range(6):
                with installation.write_locked():
                    seconds(1.2)
                seconds(0.1)
        else:
            with installation.connect() as connection, connection.transaction():
                connection.execute("LOCK TABLE devices_device, access_audithead IN EXCLUSIVE MODE")
                seconds(8)

    fault = "locks held 6 x 1.2 s" if installation.kind == SQLITE else "tables locked 8 s"
    trial(fault).run(cause)
