from typing import Any

import pytest

from access.models import Role, Tenant
from tests.factories.access import AdministratorFactory
from tests.factories.devices import UserFactory
from tests.types import Call, IssueToken


def test_the_tenants_people_page_by_page(
    api: Call, issue_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    token = issue_token("list_admins")
    ann = AdministratorFactory.create(
        tenant=tenant,
        first_name="Ann",
        last_name="Fisher",
        email="ann@accuhive.test",
        role=Role.AUDITOR,
        is_active=False,
    )
    AdministratorFactory.create(tenant=other_tenant)
    AdministratorFactory.create(operator=True)
    everybody = api("GET", "/api/v1/admins", token).json()
    assert list(everybody) == ["next", "previous", "results"]
    assert len(everybody["results"]) == 2
    (row,) = (each for each in everybody["results"] if each["email"] == "ann@accuhive.test")
    assert row == {
        "id": str(ann.id),
        "email": "ann@accuhive.test",
        "first_name": "Ann",
        "last_name": "Fisher",
        "role": "auditor",
        "is_active": False,
        "locale": "en_US",
        "created_at": f"{ann.created_at:%Y-%m-%dT%H:%M:%S.%f}+00:00",
        "updated_at": f"{ann.updated_at:%Y-%m-%dT%H:%M:%S.%f}+00:00",
    }
    assert api("GET", "/api/v1/admins?role=auditor", token).json()["results"] == [row]
    assert api("GET", "/api/v1/admins?role=pilot", token).json()["results"] == []
    for size in ("limit=1", "sizePerPage=1"):
        first = api("GET", f"/api/v1/admins?{size}", token).json()
        second = api("GET", first["next"].removeprefix("http://accuhive.api.iru.test"), token).json()
        assert [*first["results"], *second["results"]] == everybody["results"]
        assert second["next"] is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "permission", "factory"),
    [("/api/v1/admins", "list_admins", AdministratorFactory), ("/api/v1/users", "list_users", UserFactory)],
)
def test_a_page_holds_25_people_unless_asked_otherwise(
    api: Call, issue_token: IssueToken, tenant: Tenant, path: str, permission: str, factory: Any
) -> None:
    token = issue_token(permission)
    factory.create_batch(27, tenant=tenant)
    first = api("GET", path, token).json()
    assert len(first["results"]) == 25
    assert first["next"]
    assert len(api("GET", f"{path}?sizePerPage=26", token).json()["results"]) == 26
    assert len(api("GET", f"{path}?sizePerPage=1000", token).json()["results"]) >= 27
