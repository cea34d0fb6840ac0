"""What holds while migrations run."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import pre_migrate

LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")


def limits() -> list[str]:
    with connection.cursor() as cursor:
        return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in LIMITS]


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_a_migration_may_compute_for_long() -> None:
    before = limits()
    during: list[str] = []

    def look(**kwargs: object) -> None:
        during[:] = limits()

    pre_migrate.connect(look)  # it is called after the product's own receiver
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        pre_migrate.disconnect(look)
    assert during == ["0", "0", before[2]]
    assert limits() == before
    assert before[1] != "0"
