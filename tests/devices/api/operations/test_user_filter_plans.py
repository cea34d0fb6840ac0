"""That each filter of the API's list of users finds them by an index, newest first, on both databases."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Tenant
from access.tasks.upkeep import refresh_statistics
from devices.api.schemas.users import UserQuery
from devices.models import User
from tests import plans
from tests.factories.devices import DirectoryIntegrationFactory
from tests.types import Call, IssueToken

pytestmark = pytest.mark.slow

FILTERS = sorted(UserQuery.model_fields.keys() - {"cursor", "size"})


@pytest.fixture
def integration(tenant: Tenant, analyze: Callable[[], None]) -> UUID:
    """One of two integrations of a thousand users, some of them archived, with fresh statistics."""
    integrations = DirectoryIntegrationFactory.create_batch(2, tenant=tenant)
    now = timezone.now()
    User.objects.bulk_create(
        User(
            tenant=tenant,
            name=f"User {n}",
            email=f"user-{n}@accuhive.test",
            archived=n % 50 == 0,
            integration=integrations[n % 20 == 0],
            created_at=now - timedelta(minutes=n * 7919 % 1000),
        )
        for n in range(1000)
    )
    refresh_statistics()
    analyze()
    plans.prefer_indexes()
    uuid: UUID = integrations[1].uuid
    return uuid


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_its_users_by_an_index(
    name: str, tenant: Tenant, integration: UUID, api: Call, issue_token: IssueToken
) -> None:
    values: dict[str, list[Any]] = {
        "archived": ["true", "false"],
        "email": ["user-77", "zq"],
        "id": [tenant.users.all()[500].uuid],
        "integration_id": [integration],
    }
    token = issue_token("list_users")
    for value in values[name]:
        with CaptureQueriesContext(connection) as queries:
            assert api("GET", f"/api/v1/users?{name}={value}", token).status_code == 200
        (query,) = [each["sql"] for each in queries if "device_count" in each["sql"]]
        plan = "\n".join(plans.steps(query))
        assert not re.search(r"^SCAN devices_user|Seq Scan on devices_user|Sort$", plan, re.MULTILINE), plan
        assert "TEMP B-TREE" not in plan, plan
        if name in {"archived", "integration_id"} and value != "false":
            assert {"archived": "user_archived", "integration_id": "user_of_integration"}[name] in plan, plan
