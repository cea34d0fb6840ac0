import pytest

from access.models import Tenant
from tests.factories.devices import DeviceFactory, TagFactory
from tests.types import Call, IssuedApiToken, IssueToken


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_tags", "create_tag", "update_tag", "delete_tag", "list_devices")


def test_a_tag_from_its_creation_to_its_end(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    created = api("POST", "/api/v1/tags", token, json={"name": "  Loaner "})
    assert created.status_code == 201
    tag = created.json()
    assert list(tag) == ["id", "name"]
    assert tag["name"] == "Loaner"
    device = DeviceFactory.create(tenant=tenant, tags=[tenant.tags.get()])

    renamed = api("PATCH", f"/api/v1/tags/{tag['id']}", token, json={"name": "Spare"})
    assert renamed.json() == {"id": tag["id"], "name": "Spare"}
    assert api("GET", "/api/v1/devices?tag_name=Spare", token).json()[0]["tags"] == ["Spare"]

    assert api("DELETE", f"/api/v1/tags/{tag['id']}", token).status_code == 204
    (row,) = api("GET", "/api/v1/devices", token).json()
    assert (row["device_id"], row["tags"]) == (str(device.uuid), [])
    assert [event.summary for event in tenant.audit_events.filter(target_type="tag").order_by("sequence")] == [
        "Tag created",
        "Tag renamed",
        "Tag deleted",
    ]


def test_the_list_is_one_page_that_can_be_searched(
    api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    for name in ("Design", "loaner", "Loan desk"):
        TagFactory.create(tenant=tenant, name=name)
    TagFactory.create(tenant=other_tenant, name="loan")
    every = api("GET", "/api/v1/tags", token).json()
    assert (every["count"], every["next"], every["previous"]) == (3, None, None)
    assert [tag["name"] for tag in api("GET", "/api/v1/tags?search=LOAN", token).json()["results"]] == [
        "Loan desk",
        "loaner",
    ]


def test_a_name_is_taken_once_in_each_tenant_and_in_its_case(
    api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    TagFactory.create(tenant=other_tenant, name="VIP")
    assert api("POST", "/api/v1/tags", token, json={"name": "VIP"}).status_code == 201
    assert api("POST", "/api/v1/tags", token, json={"name": "vip"}).status_code == 201
    taken = api("POST", "/api/v1/tags", token, json={"name": "VIP"})
    assert (taken.status_code, taken.json()) == (400, {"name": ["A tag with this name already exists."]})
    renamed = api("PATCH", f"/api/v1/tags/{tenant.tags.get(name='vip').uuid}", token, json={"name": "VIP"})
    assert renamed.status_code == 400


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": ""}, {"name": "x" * 256}, {"name": {"a": 1}}])
def test_a_name_is_needed(body: dict[str, object], api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    answer = api("POST", "/api/v1/tags", token, json=body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["name"]
    assert not tenant.tags.exists()
