from access.models import Role, Tenant
from tests.factories.access import AdministratorFactory
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
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
    for size in ("limit=1", "sizePerPage=1"):
        first = api("GET", f"/api/v1/admins?{size}", token).json()
        second = api("GET", first["next"].removeprefix("http://accuhive.api.iru.test"), token).json()
        assert [*first["results"], *second["results"]] == everybody["results"]
        assert second["next"] is None
