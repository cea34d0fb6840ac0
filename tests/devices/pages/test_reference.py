"""The API reference: who sees it, what a search finds, and that it is this organization's own."""

import html
import json
import re
import shlex
import sys
from io import BytesIO
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from access.models import Administrator, ApiToken, AuditEvent, Role, Tenant, TokenUse
from access.tokens import usage
from access.tokens.authentication import LiveToken
from devices.api import api as endpoint_api
from devices.api import openapi
from devices.fleet.tags import create_tag
from devices.pages.reference_calls import NO_TRIAL, can_be_called, is_secret
from devices.pages.reference_entries import Entry, areas
from devices.pages.reference_examples import body_of, curl
from devices.pages.reference_objects import ids_for
from tests.devices.api.examples import EVERY_PERMISSION
from tests.devices.pages.addresses import examples_of
from tests.factories.access import AdministratorFactory, ApiTokenFactory
from tests.factories.devices import DeviceFactory, TagFactory
from tests.types import Call, IssueToken

pytestmark = pytest.mark.slow

PAGE, FILE = "/api-reference/", "/api-reference/openapi.json"
HOST = "http://accuhive.api.iru.test"
AUTHORIZATION = '-H "Authorization: Bearer $IRU_TOKEN"'
JSON = '-H "Content-Type: application/json"'
HTMX = {"HX-Request": "true"}
XSS = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
BIGGEST = 1_800  # bytes of the list for each operation, whose body is loaded when it is opened


@pytest.fixture
def browser(client: Client, owner: Administrator) -> Client:
    client.force_login(owner)
    return client


def operations(page: str) -> list[str]:
    """Ids of the operations shown."""
    return re.findall(r'class="operation-body" id="(\w+)"', page)


def curls(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'data-copy="([^"]*)"', page)]


def shown(browser: Client, operation: str) -> str:
    return browser.get(f"{PAGE}{operation}/").content.decode()


def answered(browser: Client, operation: str) -> str:
    return html.unescape(browser.get(f"{PAGE}{operation}/answer/", headers=HTMX).content.decode())


def tried(browser: Client, operation: str, token: ApiToken, **values: Any) -> str:
    answer = browser.get(f"{PAGE}{operation}/try/", {"with_token": token.id, **values}, headers=HTMX)
    assert answer.status_code == 200, operation
    return answer.content.decode()


def code(page: str, *, last: bool = False) -> str:
    """The first, or the last, text of the page that is set as code."""
    texts: list[str] = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    return texts[-1 if last else 0]


def entry_of(operation: str, tenant: Tenant) -> Entry:
    found = areas(openapi.document(tenant.api_origin))
    return next(each for area in found for section in area.sections for each in section.entries if each.id == operation)


def run(program: str, monkeypatch: pytest.MonkeyPatch | None = None) -> dict[str, Any]:
    """The call that a program makes."""
    calls: list[dict[str, Any]] = []

    class Requests(ModuleType):
        def __getattr__(self, method: str) -> Any:
            def call(url: str, **options: Any) -> Any:
                calls.append({"method": method.upper(), "url": url, **options})
                return SimpleNamespace(raise_for_status=lambda: None, json=dict, content=b"")

            return call

    names = {"open": lambda *_: BytesIO(), "print": lambda *_: None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "requests", Requests("requests"))
        patch.setenv("IRU_TOKEN", "secret")
        for variable in re.findall(r"os.environ\['(\w+)'\]", program):
            patch.setenv(variable, f"${variable}" if variable != "IRU_TOKEN" else "secret")
        exec(compile(program, "example", "exec"), names)
    (call,) = calls
    return call


def search(browser: Client, text: str, **options: Any) -> str:
    return browser.get(PAGE, {"q": text}, **options).content.decode()


@pytest.mark.parametrize("path", [PAGE, FILE])
class TestWhoSeesIt:
    @pytest.mark.parametrize("role", Role)
    def test_every_role(self, path: str, role: Role, client: Client, tenant: Tenant) -> None:
        client.force_login(AdministratorFactory.create(tenant=tenant, role=role))
        assert client.get(path).status_code == 200
        assert f'href="{PAGE}"' in client.get(PAGE).content.decode()

    def test_no_operator(self, path: str, client: Client, operator: Administrator) -> None:
        client.force_login(operator)
        answer = client.get(path)
        assert answer.status_code == 403
        assert "API reference" not in answer.content.decode()

    def test_nobody_who_has_not_signed_in(self, path: str, client: Client, db: None) -> None:
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"{reverse('account_login')}?next={path}")
        assert client.get(path, headers=HTMX)["HX-Redirect"].startswith(reverse("account_login"))

    def test_only_reading(self, path: str, browser: Client) -> None:
        assert browser.post(path).status_code == 405


def test_every_operation_is_shown_once_under_its_section(browser: Client) -> None:
    page = browser.get(PAGE).content.decode()
    assert sorted(operations(page)) == sorted(operation.id for operation in endpoint_api.operations)
    text = html.unescape(page).replace("<wbr>", "")  # where a line may end within a path
    for operation in endpoint_api.operations:
        assert f"<code>{operation.path}</code>" in text
        assert operation.label in text
        assert operation.about in text
        assert f'hx-get="/api-reference/{operation.id}/"' in text
    assert page.count(">Sensitive<") == sum(
        1 for each in endpoint_api.operations if each.permission and each.permission.sensitive
    )


def test_it_costs_the_same_for_every_search(browser: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    browser.get(PAGE)
    for text in ("", "lock", "nothing is called this"):
        with django_assert_num_queries(2):  # the session and its person, with their tenant
            search(browser, text)


def test_an_operation_has_a_page_of_its_own(
    browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for operation in endpoint_api.operations:
        with django_assert_max_num_queries(7):  # the session, its person, the tokens, and a query for each kind of id
            page = shown(browser, operation.id)
        assert operations(page) == [operation.id]
        assert operation.label in html.unescape(page)
        if operation.permission:
            assert f"<code>{operation.permission.codename}</code>" in page
        piece = browser.get(f"{PAGE}{operation.id}/", headers=HTMX).content.decode()
        assert "<html" not in piece
        assert curls(piece) == curls(page)
    assert browser.get(f"{PAGE}nothing/").status_code == 404


def test_it_stays_light(browser: Client) -> None:
    size = len(browser.get(PAGE).content)
    assert size < BIGGEST * len(endpoint_api.operations)


class TestExamples:
    def test_are_for_the_organizations_own_address(
        self, browser: Client, client: Client, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        examples_of(tenant)
        lines = {operation.id: curls(shown(browser, operation.id)) for operation in endpoint_api.operations}
        assert {len(texts) for texts in lines.values()} == {2}
        assert all('"http://accuhive.api.iru.test/a' in text for texts in lines.values() for text in texts)

        client.force_login(AdministratorFactory.create(tenant=other_tenant))
        others = client.get(f"{PAGE}get_device/").content.decode()
        assert "accuhive.api" not in others
        assert all("elsewhere.api.iru.test" in line for line in curls(others))
        assert str(tenant.devices.get().uuid) not in others
        assert json.loads(client.get(FILE).content)["servers"] == [{"url": "http://elsewhere.api.iru.test"}]

    def test_are_a_command_line_and_a_program_of_the_same_call(
        self, browser: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The program runs, with a `requests` that notes the call."""
        examples_of(tenant)
        for operation in endpoint_api.operations:
            line, program = curls(shown(browser, operation.id))
            words = shlex.split(line.replace("\\\n", " "))
            url = next(word for word in words if word.startswith("http"))
            assert words[0] == "curl"
            assert "{" not in url  # where curl would look for a list
            for variable in re.findall(r"\$(\w+)", url):
                monkeypatch.setenv(variable, f"${variable}")
            call = run(program, monkeypatch)
            assert (call["method"], call["url"]) == (operation.method, url)
            assert call.get("json") == (json.loads(words[words.index("-d") + 1]) if "-d" in words else None)
            assert ("headers" in call) == (not operation.open)

    def test_has_a_body_that_the_operation_takes(self, browser: Client, tenant: Tenant) -> None:
        """Every field of it, and the API validates it."""
        examples_of(tenant)
        for operation in endpoint_api.operations:
            if operation.body is None or operation.upload is not None:
                continue
            body = run(curls(shown(browser, operation.id))[1])["json"]
            assert body.keys() == {field.alias or name for name, field in operation.body.model_fields.items()}
            operation.body.model_validate(body)

    def test_name_objects_of_the_organization(self, browser: Client, tenant: Tenant) -> None:
        ids = examples_of(tenant)
        assert str(ids["device_id"]) in curls(shown(browser, "get_device"))[0]
        note = curls(shown(browser, "get_device_note"))[0]
        assert str(ids["note_id"]) in note
        assert str(ids["device_id"]) in note
        assert str(ids["ade_device_id"]) in curls(shown(browser, "get_ade_device"))[1]
        assert str(ids["item_id"]) in curls(shown(browser, "get_custom_profile"))[0]
        body = run(curls(shown(browser, "update_device"))[1])["json"]
        assert (body["user"], body["blueprint_id"]) == (str(ids["user_id"]), str(ids["blueprint_id"]))

    def test_are_for_the_bare_host_of_a_quick_start(self, browser: Client, settings: Any) -> None:
        """Python looks up no name below localhost."""
        settings.IRU_DOMAIN, settings.IRU_BARE_API_HOSTS, settings.IRU_PORT = "localhost", ["localhost"], 8000
        assert all('"http://localhost:8000/api/v1/tags"' in text for text in curls(shown(browser, "list_tags")))

    def test_names_a_device_that_takes_the_command(self, browser: Client, tenant: Tenant) -> None:
        phone = DeviceFactory.create(tenant=tenant, platform="iPhone")
        DeviceFactory.create(tenant=tenant, platform="Mac")
        assert str(phone.uuid) in curls(shown(browser, "refresh_cellular_plans"))[0]

    def test_names_no_object_in_a_call_that_cannot_be_undone(self, browser: Client, tenant: Tenant) -> None:
        device = str(examples_of(tenant)["device_id"])
        for operation in ("erase_device", "delete_device", "lock_device"):
            page = shown(browser, operation)
            assert device not in page
            assert "/devices/$DEVICE_ID" in curls(page)[0]
            assert "cannot be undone" in page

    @pytest.mark.parametrize(
        ("operation", "lines"),
        [
            ("get_device", [f'curl "{HOST}/api/v1/devices/$DEVICE_ID"', AUTHORIZATION]),
            ("create_tag", [f'curl -X POST "{HOST}/api/v1/tags"', AUTHORIZATION, JSON, """-d '{"name": "Example"}'"""]),
            ("prism_count", [f'curl "{HOST}/api/v1/prism/count?category=apps"', AUTHORIZATION]),
            ("ping", [f'curl "{HOST}/app/v1/ping"']),
        ],
    )
    def test_without_an_object_the_id_is_a_variable(self, browser: Client, operation: str, lines: list[str]) -> None:
        assert curls(shown(browser, operation))[0] == " \\\n  ".join(lines)


class TestAnswer:
    def test_is_one_of_the_organization(self, browser: Client, tenant: Tenant, other_tenant: Tenant) -> None:
        device = tenant.devices.get(uuid=examples_of(tenant)["device_id"])
        other = examples_of(other_tenant, "Other")
        for operation in ("get_device", "list_devices", "get_device_details"):
            text = answered(browser, operation)
            assert device.serial_number in text
            assert str(other["device_id"]) not in text

    def test_is_shortened_to_a_readable_size(self, browser: Client, tenant: Tenant) -> None:
        TagFactory.create_batch(5, tenant=tenant)
        page = html.unescape(browser.get(f"{PAGE}list_tags/answer/", headers=HTMX).content.decode())
        assert len(json.loads(code(page))["results"]) == 2
        assert "shortened" in page

    def test_says_so_where_there_is_no_object(self, browser: Client) -> None:
        page = browser.get(f"{PAGE}get_device/answer/").content.decode()
        assert "nothing yet" in page
        assert "<html" in page

    def test_changes_nothing(self, browser: Client, tenant: Tenant) -> None:
        examples_of(tenant)
        events = AuditEvent.objects.count()
        for operation in endpoint_api.operations:
            if operation.permission and can_be_called(operation):
                assert browser.get(f"{PAGE}{operation.id}/answer/", headers=HTMX).status_code == 200, operation.id
        assert AuditEvent.objects.count() == events
        usage.flush()
        assert not TokenUse.objects.exists()

    def test_is_never_a_secret(self, browser: Client, tenant: Tenant) -> None:
        examples_of(tenant)
        for operation in endpoint_api.operations:
            if operation.method != "GET" or (operation.permission and operation.permission.sensitive):
                assert browser.get(f"{PAGE}{operation.id}/answer/").status_code == 403, operation.id
                assert "Show an answer" not in shown(browser, operation.id)

    @pytest.mark.parametrize("role", Role)
    def test_is_shown_to_roles_whose_pages_show_the_same(self, role: Role, client: Client, tenant: Tenant) -> None:
        examples_of(tenant)
        client.force_login(AdministratorFactory.create(tenant=tenant, role=role))
        for operation, roles in (
            ("list_devices", set(Role)),
            ("list_admins", {Role.OWNER, Role.ADMIN}),
            ("list_custom_scripts", {Role.OWNER, Role.ADMIN, Role.STANDARD}),
            ("get_custom_profile", {Role.OWNER, Role.ADMIN, Role.STANDARD}),
        ):
            status = client.get(f"{PAGE}{operation}/answer/").status_code
            assert (status == 200) == (role in roles), operation


class TestTrial:
    def test_answers_as_the_token_would_be_answered(
        self, browser: Client, tenant: Tenant, api: Call, issue_token: IssueToken
    ) -> None:
        device = examples_of(tenant)["device_id"]
        token = issue_token("get_device", "list_devices")
        for operation, path, query in (
            ("get_device", f"/api/v1/devices/{device}", {"device_id": device}),
            ("list_devices", "/api/v1/devices?device_name=nothing", {"device_name": "nothing"}),
            ("list_devices", "/api/v1/devices?ordering=x", {"ordering": "x"}),
            ("list_tags", "/api/v1/tags", {}),
        ):
            page = html.unescape(tried(browser, operation, token, **query))
            real = api("GET", path, token)
            assert f"{real.status_code} " in page
            assert json.loads(code(page, last=True)) == real.json()

    def test_shows_the_403_of_a_token_without_the_permission(self, browser: Client, issue_token: IssueToken) -> None:
        token = issue_token("list_tags")
        page = html.unescape(tried(browser, "list_devices", token))
        body = json.loads(code(page, last=True))
        assert "403 Forbidden" in page
        assert body["permission"] == "list_devices"
        assert str(token.id) in body["permissions_url"]

    def test_is_no_use_of_the_token(self, browser: Client, tenant: Tenant, issue_token: IssueToken) -> None:
        """Of no operation, whether it has the permission or not: neither counted, nor in a trail, nor its last use."""
        ids = examples_of(tenant)
        # An object of each kind, or an id that no object has.
        some = {"library_item_id": uuid4(), "pending_upload_id": uuid4(), "export_id": uuid4(), "cve_id": "none"}
        some |= {name: str(value) for name, value in ids.items() if name in {"device_id", "cve_id"}}
        everything, nothing = issue_token(*EVERY_PERMISSION), issue_token()
        events = AuditEvent.objects.count()
        for operation in endpoint_api.operations:
            if can_be_called(operation):
                values = ids_for(tenant, entry_of(operation.id, tenant))
                for token in (everything, nothing):
                    tried(browser, operation.id, token, **some | values)
        usage.flush()
        assert not TokenUse.objects.exists()
        assert AuditEvent.objects.filter(actor_type="api_token").count() == 0
        assert AuditEvent.objects.count() == events
        for token in (everything, nothing):
            token.refresh_from_db()
            assert token.last_used_at is None

    def test_refuses_what_is_secret(self, browser: Client, tenant: Tenant, issue_token: IssueToken) -> None:
        device = examples_of(tenant)["device_id"]
        token = issue_token(*EVERY_PERMISSION)
        secret = [each for each in endpoint_api.operations if each.method == "GET" and is_secret(each)]
        assert len(secret) >= 5
        for operation in secret:
            address = f"{PAGE}{operation.id}/try/"
            answer = browser.get(address, {"with_token": str(token.id), "device_id": str(device)})
            assert answer.status_code == 403
            assert NO_TRIAL.split(".")[0] in answer.content.decode()
            assert 'name="with_token"' not in answer.content.decode()
        for operation in endpoint_api.operations:
            if operation.method != "GET" or operation.open:
                assert browser.get(f"{PAGE}{operation.id}/try/", {"with_token": str(token.id)}).status_code == 404

    def test_is_for_people_who_manage_access(self, client: Client, tenant: Tenant, issue_token: IssueToken) -> None:
        token = issue_token("list_tags")
        for role in Role:
            client.force_login(AdministratorFactory.create(tenant=tenant, role=role))
            page = client.get(f"{PAGE}list_tags/").content.decode()
            assert (token.name in page) == (role in {Role.OWNER, Role.ADMIN})

    def test_offers_live_tokens_of_the_organization_alone(
        self, browser: Client, issue_token: IssueToken, other_tenant: Tenant
    ) -> None:
        others = [issue_token("list_tags", revoked=True), issue_token("list_tags", expired=True)]
        others.append(ApiTokenFactory.create(tenant=other_tenant, permissions=["list_tags"]))
        page = shown(browser, "list_tags")
        for token in others:
            assert str(token.id) not in page
            answer = browser.get(f"{PAGE}list_tags/try/", {"with_token": str(token.id)})
            assert answer.status_code == 422

    def test_changes_nothing_even_if_an_operation_tried_to(self, tenant: Tenant) -> None:
        token = LiveToken.for_trial(tenant, [], id=uuid4())
        with pytest.raises(RuntimeError, match="changes nothing"):
            create_tag(tenant=tenant, name="x", actor=token.actor(None))
        assert not tenant.tags.exists()


class TestSearch:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("/action/erase", ["erase_device"]),
            ("ERASE device", ["erase_device"]),  # every word, in any case and order
            ("get_filevault_recovery_key", ["get_filevault_recovery_key"]),
            ("filevault_enabled", ["list_devices"]),  # a parameter
            ("enrollment_code.code", ["create_blueprint", "update_blueprint", "update_blueprint_routing"]),  # a field
        ],
    )
    def test_finds(self, browser: Client, text: str, found: list[str]) -> None:
        assert sorted(operations(search(browser, text))) == found

    def test_opens_what_is_found_alone(self, browser: Client) -> None:
        assert '<details class="operation" open>' in search(browser, "erase_mode")
        assert '<details class="operation" open>' not in search(browser, "lock")

    def test_says_that_nothing_was_found(self, browser: Client) -> None:
        page = search(browser, "nothing is called this")
        assert "No operation matches" in page
        assert operations(page) == []

    def test_answers_htmx_with_the_results_and_their_address(self, browser: Client) -> None:
        answer = browser.get(PAGE, {"q": "tag"}, headers=HTMX)
        page = answer.content.decode()
        assert "<html" not in page
        assert "create_tag" in operations(page)
        assert answer["HX-Push-Url"] == f"{PAGE}?q=tag"
        assert browser.get(PAGE, {"q": " "}, headers=HTMX)["HX-Push-Url"] == PAGE

    def test_shows_what_was_typed_as_text(self, browser: Client) -> None:
        page = search(browser, XSS)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert html.escape(XSS) in page

    def test_takes_whatever_is_typed(self, browser: Client) -> None:
        for text in ("\0", "(", "%", "é" * 500, "\\"):
            assert browser.get(PAGE, {"q": text}).status_code == 200


def test_texts_of_declarations_are_escaped() -> None:
    (area,) = areas(
        {
            "servers": [{"url": "https://x.test"}],
            "tags": [{"name": "T", "description": "."}],
            "x-tagGroups": [{"name": "A", "tags": ["T"]}],
            "components": {"schemas": {}, "responses": {}},
            "paths": {
                "/a/{b}": {
                    "post": {
                        "operationId": "a",
                        "tags": ["T"],
                        "summary": XSS,
                        "description": "It's <b>",
                        "requestBody": {
                            "required": True,
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "description": "Say `it's` so.",
                                        "required": ["it's"],
                                        "properties": {"it's": {"enum": ["it's"], "type": "string"}},
                                    }
                                }
                            },
                        },
                        "responses": {"200": {"description": "OK", "content": {"application/pdf": {}}}},
                    }
                }
            },
        }
    )
    entry: Entry = area.sections[0].entries[0]
    assert entry.fields_about == ["Say ", "it's", " so."]
    line = curl(entry, body_of(entry, {}, {}), {})
    words = shlex.split(line.replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", "https://x.test/a/$B"]
    assert json.loads(words[words.index("-d") + 1]) == {"it's": "it's"}
    assert words[-1] == "-OJ"
    page = render_to_string("devices/_operation.html", {"entry": entry, "count": 1, "curl": line, "heading": 4})
    assert "<script>" not in page
    assert html.escape(XSS) in page
    assert "It&#x27;s &lt;b&gt;" in page


def test_the_file_is_the_apis_own_document(browser: Client) -> None:
    answer = browser.get(FILE)
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == 'attachment; filename="openapi.json"'
    document = json.loads(answer.content)
    assert document["openapi"].startswith("3.1")
    assert "no-store" in answer["Cache-Control"]


def test_the_page_of_changes_lists_the_additions(browser: Client) -> None:
    page = browser.get("/api-reference/changes/").content.decode()
    assert "/api-reference/#get_tag" in page
    assert "/api-reference/#list_tags" not in page
