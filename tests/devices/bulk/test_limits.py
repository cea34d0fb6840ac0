"""The time that the statements of a bulk action may take, when it is about a whole fleet."""

import pytest
from django.db import connection

from access.models import Administrator, Role, Tenant
from devices.bulk.actions import stop_bulk_action
from tests.devices.bulk.starting import command, fleet, start
from tests.devices.sending import ACTOR
from tests.factories.access import AdministratorFactory

pytestmark = [pytest.mark.django_db, pytest.mark.postgres_only]


def limit(value: str = "") -> str:
    """The time limit of a statement in this transaction, which `value` sets before."""
    with connection.cursor() as cursor:
        if value:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [value])
        cursor.execute("SHOW statement_timeout")
        (found,) = cursor.fetchone()
    return str(found)


def test_confirming_and_stopping_have_a_minute(tenant: Tenant) -> None:
    """With 100,000 devices each took 2.8 of the 3 seconds that a request's statement may take."""
    person: Administrator = AdministratorFactory.create(tenant=tenant, role=Role.HELP_DESK)
    fleet(tenant, 2)
    assert limit("3s") == "3s"
    action = start(person, command(person))
    assert limit() == "1min"
    assert limit("3s") == "3s"
    stop_bulk_action(tenant=tenant, id=action.uuid, actor=ACTOR)
    assert limit() == "1min"
