import pytest

from access.models import Role, Tenant
from devices.models import User
from tests.devices.pages.browsing import HTMX, SignIn, newest, on, page, text
from tests.factories.devices import DeviceFactory, UserFactory

pytestmark = pytest.mark.django_db
LIST = "/users/"


@pytest.fixture
def ana(tenant: Tenant) -> User:
    return UserFactory.create(tenant=tenant, name="Ana Ruiz", email="ana@accuhive.test", department="IT")


def url(user: User, rest: str = "") -> str:
    return f"{LIST}{user.uuid}/{rest}"


def test_the_list_leaves_out_who_is_archived(ana: User, tenant: Tenant, sign_in: SignIn) -> None:
    DeviceFactory.create(tenant=tenant, user=ana)
    UserFactory.create(tenant=tenant, name="Ben", archived=True)
    client = sign_in()

    def names(**query: str) -> list[tuple[str, int]]:
        return [(row.name, row.device_count) for row in client.get(LIST, query).context["page"].object_list]

    assert names() == [("Ana Ruiz", 1)]
    assert names(archived="only") == [("Ben", 0)]
    assert names(archived="all") == [("Ana Ruiz", 1), ("Ben", 0)]
    assert names(q="RUIZ") == names(q="ana@accuhive") == [("Ana Ruiz", 1)]
    assert names(q="nobody") == []
    response = client.get(LIST, {"q": "ana", "archived": ""}, headers={**HTMX, "HX-Target": "rows"})
    assert response["HX-Push-Url"] == "/users/?q=ana"


def test_a_user_is_edited_in_the_records_of_their_devices(ana: User, tenant: Tenant, sign_in: SignIn) -> None:
    device = DeviceFactory.create(tenant=tenant, user=ana)
    client = sign_in(Role.STANDARD)
    assert device.name in text(client.get(url(ana)))
    data = {"name": "Ana Silva", "department": "", "job_title": "CTO", "archived": "on"}
    response = client.post(url(ana, "edit/"), data, headers=on(url(ana)))
    assert "users-changed" in response["HX-Trigger"]
    ana.refresh_from_db()
    assert (ana.name, ana.department, ana.job_title, ana.archived) == ("Ana Silva", None, "CTO", True)
    device.refresh_from_db()
    assert "Ana Silva" in device.record_json
    assert newest(tenant).summary == "User updated"
    assert client.post(url(ana, "edit/"), {"name": ""}, headers=HTMX).status_code == 422


def test_a_user_with_a_device_is_not_deleted(ana: User, tenant: Tenant, sign_in: SignIn) -> None:
    device = DeviceFactory.create(tenant=tenant, user=ana)
    client = sign_in()
    response = client.post(url(ana, "delete/"), headers=HTMX)
    assert response.status_code == 422
    dialog = text(response)
    assert "Nothing was deleted." in dialog
    assert f'<a href="{page("device", device)}">{device.name}</a>' in dialog
    assert " disabled>Delete user</button>" in dialog
    reassign = f"/devices/bulk/user/?from=user&amp;of={ana.uuid}&amp;all=1"
    assert f'href="{reassign}"' in dialog
    assert f'href="{url(ana, "edit/")}?archive=1"' in dialog
    assert "1 device" in text(client.get(reassign.replace("&amp;", "&")))
    archive = client.get(url(ana, "edit/"), {"archive": "1"})
    assert archive.context["form"]["archived"].value() is True
    device.delete()
    assert client.post(url(ana, "delete/"), headers=HTMX)["HX-Redirect"] == LIST
    assert not User.objects.filter(pk=ana.pk).exists()
    assert newest(tenant).summary == "User deleted"


def test_help_desk_only_looks(ana: User, sign_in: SignIn) -> None:
    client = sign_in(Role.HELP_DESK)
    assert 'class="action-bar"' not in text(client.get(url(ana)))
    assert client.post(url(ana, "edit/"), {"name": "X"}).status_code == 403


def test_who_may_be_meant_is_offered(ana: User, tenant: Tenant, other_tenant: Tenant, sign_in: SignIn) -> None:
    UserFactory.create(tenant=tenant, name="Ana Gone", email="gone@accuhive.test", archived=True)
    UserFactory.create(tenant=other_tenant, name="Ana Other", email="ana@elsewhere.test")
    client = sign_in()
    offered = text(client.get(f"{LIST}options/", {"user": "ana"}))
    assert offered.strip() == '<option value="ana@accuhive.test">Ana Ruiz</option>'
    assert text(client.get(f"{LIST}options/", {"user": "a"})).strip() == ""


def test_another_tenants_is_not_found(other_tenant: Tenant, sign_in: SignIn) -> None:
    theirs = UserFactory.create(tenant=other_tenant)
    client = sign_in()
    for rest in ("", "edit/", "delete/"):
        assert client.get(url(theirs, rest)).status_code == 404
