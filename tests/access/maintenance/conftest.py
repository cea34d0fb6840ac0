import pytest
from django.db import connection
from pytest_django import Settings

from tests.scratch import postgres_programs


@pytest.fixture(autouse=True)
def programs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the server's own version; those of the machine may be older."""
    if connection.vendor == "postgresql":
        settings.IRU_POSTGRESQL_PROGRAMS = str(postgres_programs())
        monkeypatch.setenv("IRU_POSTGRESQL_PROGRAMS", settings.IRU_POSTGRESQL_PROGRAMS)
