"""The permission editor's buttons that tick rows, its links, and the merge of two people's changes."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from access.audit.events import Actor
from access.models import Administrator, ApiToken, Tenant
from access.permissions import Section, catalogue
from access.presets import Preset, Presets, presets
from access.tokens.lifecycle import set_permissions
from tests.access.pages.test_permissions import admin, codenames, issue, owner, save, sections, stored
from tests.factories.access import TenantFactory
from tests.markup import checked, elements

__all__ = ["admin", "owner", "sections"]  # fixtures
pytestmark = pytest.mark.django_db


def ticked(response: HttpResponse) -> set[str]:
    return {permission.codename for permission in catalogue} & checked(response.content.decode())


def shown(response: HttpResponse) -> str:
    """The value of the field that names the rows in sight."""
    fields = elements(response.content.decode(), "input")
    return next((field["value"] or "" for field in fields if field.get("name") == "shown"), "")


def editor(client: Client, token: ApiToken, **parameters: str | list[str]) -> HttpResponse:
    response = client.get(reverse("token-permissions", args=[token.id]), parameters)
    assert response.status_code == 200
    return response  # type: ignore[return-value]


class TestPresets:
    @pytest.mark.parametrize("preset", list(presets), ids=lambda preset: preset.key)
    def test_each_ticks_what_it_names_and_saves_nothing(self, admin: Client, tenant: Tenant, preset: Preset) -> None:
        assert set(preset.codenames) <= {permission.codename for permission in catalogue}
        token = issue(tenant, ["delete_device"])
        response = save(admin, token, ["delete_device", "list_users"], preset=preset.key)
        assert ticked(response) == set(preset.codenames)
        assert stored(token) == {"delete_device"}

    def test_read_only_has_no_secret_and_no_change(self) -> None:
        chosen = presets.get("read-only")
        assert chosen
        permissions = catalogue.known(chosen.codenames)
        assert permissions
        assert all(permission.method == "GET" and not permission.sensitive for permission in permissions)

    def test_known_tools_are_offered(self) -> None:
        assert {"read-only", "none", "iructl", "okta-workflows", "prometheus-exporter"} == {
            each.key for each in presets
        }

    @pytest.mark.parametrize(
        "preset", [Preset("x", "X", "", ("no_such_permission",)), Preset("twice", "Twice", "", ())]
    )
    def test_a_wrong_one_is_not_registered(self, preset: Preset) -> None:
        fresh = Presets()
        fresh.register(Preset("twice", "Twice", "", ()))
        with pytest.raises(ValueError, match=r"unknown permissions|registered twice"):
            fresh.register(preset)

    def test_an_unknown_one_is_refused(self, admin: Client, tenant: Tenant) -> None:
        assert save(admin, issue(tenant, []), [], preset="no-such").status_code == 422


class TestCopy:
    def test_the_permissions_of_another_token_are_ticked(self, admin: Client, tenant: Tenant) -> None:
        source, token = issue(tenant, ["list_users", "list_tags"]), issue(tenant, ["delete_device"])
        dialog = admin.get(reverse("token-permissions-copy", args=[token.id])).content.decode()
        assert str(source.id) in dialog
        assert ticked(save(admin, token, ["delete_device"], copy_from=str(source.id))) == {"list_users", "list_tags"}
        assert stored(token) == {"delete_device"}

    def test_the_dialog_finds_tokens_with_permissions_of_this_tenant(self, admin: Client, tenant: Tenant) -> None:
        token, empty, found = issue(tenant, []), issue(tenant, []), issue(tenant, ["list_tags"])
        foreign = issue(TenantFactory.create(), ["list_tags"])
        url = reverse("token-permissions-copy", args=[token.id])
        dialog = admin.get(url, {"q": "OKT"}).content.decode()
        assert str(found.id) in dialog
        assert not [each for each in (empty, foreign) if str(each.id) in dialog]
        assert str(found.id) not in admin.get(url, {"q": "other"}).content.decode()

    def test_a_token_of_another_tenant_gives_nothing_away(self, admin: Client, tenant: Tenant) -> None:
        foreign, token = issue(TenantFactory.create(), ["list_tags"]), issue(tenant, [])
        assert ticked(save(admin, token, ["list_users"], copy_from=str(foreign.id))) == {"list_users"}


class TestUnderASearch:
    """Without JavaScript: the page names the rows that it shows, and its boxes and buttons speak for these."""

    @pytest.fixture
    def section(self) -> Section:
        sections = [section for area in catalogue.areas() for section in area.sections]
        return next(section for section in sections if "create_device_note" in codenames(section))

    def test_a_section_box_ticks_the_rows_in_sight(self, admin: Client, tenant: Tenant, section: Section) -> None:
        token, wanted = issue(tenant, []), section.permissions[1]
        page = editor(admin, token, filter="1", q=wanted.codename)
        assert shown(page) == wanted.codename
        data = {"shown": shown(page), "section": [section.slug]}
        save(admin, token, [], **data)
        assert stored(token) == {wanted.codename}

    def test_a_cleared_section_box_leaves_the_rows_out_of_sight(
        self, admin: Client, tenant: Tenant, section: Section
    ) -> None:
        everything = codenames(section)
        token = issue(tenant, everything)
        page = editor(admin, token, filter="1", q=everything[0])
        save(admin, token, everything, shown=shown(page), section_was=[section.slug])
        assert stored(token) == set(everything[1:])

    def test_buttons_select_what_is_in_sight_or_the_whole_section(
        self, admin: Client, tenant: Tenant, section: Section
    ) -> None:
        token = issue(tenant, [])
        page = editor(admin, token, filter="1", q="note")
        matching = set(shown(page).split())
        assert 0 < len(matching) < len(catalogue)
        response = save(admin, token, [], shown=shown(page), q="note", select_shown="1")
        assert ticked(response) == matching
        response = save(admin, token, [], shown=shown(page), q="note", select_all=section.slug)
        assert ticked(response) == set(codenames(section))
        assert stored(token) == set()

    def test_the_exact_label_is_first(self, admin: Client, tenant: Tenant) -> None:
        page = editor(admin, issue(tenant, []), filter="1", q="device id")
        rows = page.context["editor"].rows  # type: ignore[attr-defined]
        assert rows[0].permission.label == "Device ID"


class TestLinks:
    def test_what_a_link_proposes_is_ticked_and_not_saved(self, admin: Client, tenant: Tenant) -> None:
        token = issue(tenant, ["list_users", "list_tags"])
        page = editor(admin, token, grant=["list_devices", "no_such_permission"], remove=["list_tags"])
        assert ticked(page) == {"list_users", "list_devices"}
        assert "1 added, 1 removed" in page.content.decode()
        assert stored(token) == {"list_users", "list_tags"}
        assert ticked(editor(admin, token, remove=["list_users", "list_tags"])) == set()


class TestSummary:
    def test_counts_what_is_added_sensitive_and_removed(self, admin: Client, tenant: Tenant) -> None:
        token = issue(tenant, ["list_users"])
        page = save(admin, token, ["erase_device", "list_tags"], review="1").content.decode()
        assert "2 added, 1 sensitive, 1 removed" in page

    def test_a_save_without_changes_says_so(self, admin: Client, tenant: Tenant) -> None:
        token = issue(tenant, ["list_users"])
        response = save(admin, token, ["list_users"])
        assert "no change to save" in admin.get(response["Location"]).content.decode()
        token.refresh_from_db()
        assert token.version == 1


class TestConflict:
    def test_both_changes_are_kept_by_the_first_choice(
        self, admin: Client, owner: Administrator, tenant: Tenant
    ) -> None:
        token = issue(tenant, ["list_users", "list_tags"])
        theirs = ["list_users", "list_tags", "list_devices"]
        set_permissions(
            tenant=tenant, token_id=token.id, permissions=theirs, version=1, actor=Actor.command("somebody else")
        )
        response = save(admin, token, ["list_users", "list_blueprints"], was="list_users list_tags")
        page = response.content.decode()
        assert response.status_code == 409
        assert "Somebody else changed this token" in page
        first = page.split("<main")[1].split("<form")[1].split("</form>")[0]
        assert "Keep both" in first
        fields = [(field.get("name"), field["value"] or "") for field in elements(first, "input")]
        kept = {value for name, value in fields if name == "permission"}
        assert kept == {"list_users", "list_devices", "list_blueprints"}
        data = {name: value for name, value in fields if name in {"version", "was"}}
        admin.post(reverse("token-permissions", args=[token.id]), {**data, "permission": sorted(kept), "save": "1"})
        assert stored(token) == kept

    def test_an_own_change_in_another_window_is_called_so(
        self, admin: Client, owner: Administrator, tenant: Tenant
    ) -> None:
        token = issue(tenant, [])
        actor = Actor.of(owner)
        set_permissions(tenant=tenant, token_id=token.id, permissions=["list_tags"], version=1, actor=actor)
        page = save(admin, token, ["list_users"], was="").content.decode()
        assert "You saved this token in another window" in page
        assert "Somebody else" not in page
