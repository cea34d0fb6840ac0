"""How long a password counts as given recently, by the clock."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access.models import Role, Tenant
from tests.factories.access import AdministratorFactory

PASSWORD = "four unrelated words suffice"


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "asked"), [(9 * 60 + 50, False), (10 * 60 + 10, True), (9 * 3600, True)])
def test_a_password_is_recent_for_ten_minutes(
    tenant: Tenant, client: Client, monkeypatch: pytest.MonkeyPatch, seconds: int, asked: bool
) -> None:
    person = AdministratorFactory.create(tenant=tenant, role=Role.OWNER, password=PASSWORD)
    client.post("/sign-in/", {"login": person.email, "password": PASSWORD})
    start = timezone.now()
    for passed in [*range(3000, seconds, 3000), seconds]:  # never an idle hour, which would end the session
        monkeypatch.setattr("django.utils.timezone.now", lambda at=start + timedelta(seconds=passed): at)
        page = client.get("/access/tokens/new/")
    assert page.status_code == 200
    assert ('name="password"' in page.content.decode()) == asked
    # Giving it starts ten new minutes.
    if asked:
        client.post("/access/tokens/new/", {"password": PASSWORD})
        assert 'name="password"' not in client.get("/access/tokens/new/").content.decode()
