"""Promises of every table in Django admin, made from the registry."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from access.admin.base import Large
from access.models import Administrator, ApiToken, AuditEvent, Tenant
from devices.models import Device
from tests.factories.access import AdministratorFactory, TenantFactory
from tests.factories.devices import DeviceFactory, TagFactory
from tests.factories.everything import something_of_everything
from tests.types import IssueToken

pytestmark = pytest.mark.slow

PASSWORD = "four unrelated words suffice"
MODELS = {model._meta.label: (model, model_admin) for model, model_admin in admin.site._registry.items()}
CHANGED_HERE = {"access.Tenant", "access.Administrator"}


@pytest.mark.parametrize("label", MODELS)
def test_every_page_of_every_model_opens(console: Client, token: ApiToken, label: str) -> None:
    model, model_admin = MODELS[label]
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    changelist = console.get(reverse(f"{name}_changelist"), {"q": "a"} if model_admin.search_fields else {})
    assert changelist.status_code == 200
    row = model._default_manager.first()
    assert row
    page = console.get(reverse(f"{name}_change", args=[row.pk]))
    assert page.status_code == 200
    add = console.get(reverse(f"{name}_add"))
    assert add.status_code == (200 if label in CHANGED_HERE else 403)

    shown = changelist.content.decode() + page.content.decode()
    event = AuditEvent.objects.exclude(tenant=None).latest("sequence")
    assert token.digest not in shown
    assert event.mac not in shown
    assert "argon2" not in shown
    assert "HUSH" not in shown


@pytest.mark.parametrize("label", MODELS)
def test_django_admin_deletes_nothing_directly(console: Client, token: ApiToken, label: str) -> None:
    model, _ = MODELS[label]
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.first()
    assert row
    assert console.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    console.post(
        reverse(f"{name}_changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    )
    assert model._default_manager.filter(pk=row.pk).exists()


def test_a_list_takes_as_many_queries_for_many_rows_as_for_a_few(console: Client) -> None:
    """One test for all lists: making the rows takes much longer than reading them."""

    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert console.get(url).status_code == 200
        return len(captured)

    rows, counts = [], []
    for number in (2, 20):
        for tenant in TenantFactory.create_batch(number):
            something_of_everything(tenant)
        console.get("/admin/")  # once a minute, a request of a session stores when it was seen
        rows.append({label: model._default_manager.count() for label, (model, _) in MODELS.items()})
        counts.append(
            {
                label: queries(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
                for label, (model, _) in MODELS.items()
            }
        )
    few, many = rows
    assert [label for label in MODELS if many[label] < few[label] + 20] == []
    assert counts[0] == counts[1]


class TestOperatorsWhoAreNotSuperusers:
    """Only the database can make such a person, and only the database can grant them a permission."""

    @pytest.fixture
    def staff(self, db: None) -> Administrator:
        return AdministratorFactory.create(tenant=None, is_staff=True, role="", password=PASSWORD)

    @pytest.fixture
    def console(self, staff: Administrator) -> Client:
        client = Client()
        client.force_login(staff)
        return client

    @pytest.mark.parametrize("label", MODELS)
    def test_no_table_is_open_to_them(self, console: Client, token: ApiToken, label: str) -> None:
        model, _ = MODELS[label]
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.first()
        assert row
        pages = [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
        pages += [reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "delete", "history")]
        assert [console.get(page).status_code for page in pages] == [403] * 5
        assert [console.post(page).status_code for page in pages[:4]] == [403] * 4

    def test_they_have_a_page_without_entries_and_their_own_password(
        self, console: Client, staff: Administrator
    ) -> None:
        index = console.get("/admin/")
        assert (index.status_code, index.context["app_list"]) == (200, [])
        new = "another four unrelated words"
        data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        assert console.post("/admin/password_change/", data).status_code == 302
        staff.refresh_from_db()
        assert staff.check_password(new)
        assert console.get("/devices/").status_code == 403

    def test_a_permission_to_view_opens_that_table_and_no_action(
        self, console: Client, staff: Administrator, issue_token: IssueToken
    ) -> None:
        token = issue_token()
        staff.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
        page = reverse("admin:access_apitoken_changelist")
        assert token.name in console.get(page).content.decode()
        assert console.get(reverse("admin:access_administrator_changelist")).status_code == 403
        console.post(page, {"action": "revoke", "_selected_action": [token.pk]})
        token.refresh_from_db()
        assert token.revoked_at is None


class TestLists:
    """They stay fast however many rows there are."""

    @pytest.mark.parametrize("label", MODELS)
    def test_no_list_counts_or_sorts_a_whole_table(self, console: Client, token: ApiToken, label: str) -> None:
        model, model_admin = MODELS[label]
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        with CaptureQueriesContext(connection) as captured:
            console.get(url)
        table = f'FROM "{model._meta.db_table}"'
        statements = [query["sql"] for query in captured if table in query["sql"] and "COUNT(*)" in query["sql"]]
        assert statements
        assert all("LIMIT 10001" in statement for statement in statements)
        if isinstance(model_admin, Large):
            assert not any(" JOIN " in query["sql"] for query in captured if table in query["sql"])
            assert model_admin.ordering == ("-pk",)
            assert model_admin.sortable_by == ()

    def test_a_list_of_more_rows_says_so_and_ends_there(
        self, console: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("access.admin.lists.MOST", 60)
        TagFactory.create_batch(70, tenant=tenant)
        url = reverse("admin:devices_tag_changelist")
        page = " ".join(console.get(url).content.decode().split())
        assert "More than 60 tags" in page
        assert console.get(url, {"p": "2"}).status_code == 200
        assert console.get(url, {"p": "3"}).status_code == 302

    def test_a_search_looks_at_the_newest_rows_of_all_tenants_or_of_one(
        self, console: Client, tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("access.admin.lists.MOST", 3)
        for owner, names in ((tenant, ["old a", "old b"]), (other_tenant, ["new a", "new b", "new c"])):
            for name in names:
                TagFactory.create(tenant=owner, name=name)
        url = reverse("admin:devices_tag_changelist")

        def found(**query: str) -> list[str]:
            return [row.name for row in console.get(url, query).context["cl"].result_list]

        assert found(q="b") == ["new b"]
        assert found(q="b", tenant="accuhive") == ["old b"]
        assert found(tenant="accuhive") == ["old b", "old a"]
        assert found(tenant="nowhere") == []

    def test_a_whole_serial_number_is_found_among_all_devices(
        self, console: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("access.admin.lists.MOST", 2)
        old = DeviceFactory.create(tenant=tenant, serial_number="OLD123")
        DeviceFactory.create_batch(3, tenant=tenant)
        url = reverse("admin:devices_device_changelist")

        def found(query: str) -> list[Device]:
            return list(console.get(url, {"q": query}).context["cl"].result_list)

        assert found("old123 ") == [old]
        assert found("old12") == []
