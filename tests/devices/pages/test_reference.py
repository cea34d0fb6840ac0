"""The API reference: who sees it, what a search finds, and that it is this organization's own."""

import html
import json
import re
import shlex
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from access.models import Administrator, Role, Tenant
from devices.api import api as endpoint_api
from devices.pages.reference_entries import Entry, areas
from tests.factories.access import AdministratorFactory

pytestmark = pytest.mark.slow

PAGE, FILE = "/api-reference/", "/api-reference/openapi.json"
HOST = "http://accuhive.api.iru.test"
AUTHORIZATION = '-H "Authorization: Bearer $IRU_TOKEN"'
JSON = '-H "Content-Type: application/json"'
HTMX = {"HX-Request": "true"}
XSS = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
BIGGEST = 5_000  # bytes of the page for each operation: some 685 kB for all operations of the public API


@pytest.fixture
def browser(client: Client, owner: Administrator) -> Client:
    client.force_login(owner)
    return client


def operations(page: str) -> list[str]:
    """Ids of the operations shown."""
    return re.findall(r'class="operation-body" id="(\w+)"', page)


def curls(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'data-copy="([^"]*)"', page)]


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
        if operation.permission:
            assert f"<code>{operation.permission.codename}</code>" in text
    assert page.count(">Sensitive<") == sum(
        1 for each in endpoint_api.operations if each.permission and each.permission.sensitive
    )


def test_it_costs_the_same_for_every_search(browser: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    browser.get(PAGE)
    for text in ("", "lock", "nothing is called this"):
        with django_assert_num_queries(2):  # the session and its person, with their tenant
            search(browser, text)


def test_it_stays_light(browser: Client) -> None:
    size = len(browser.get(PAGE).content)
    assert size < BIGGEST * len(endpoint_api.operations)


class TestCurl:
    def test_is_for_the_organizations_own_address(self, browser: Client, client: Client, other_tenant: Tenant) -> None:
        lines = curls(browser.get(PAGE).content.decode())
        assert len(lines) == len(endpoint_api.operations)
        assert all(' "http://accuhive.api.iru.test/a' in line for line in lines)

        client.force_login(AdministratorFactory.create(tenant=other_tenant))
        others = client.get(PAGE).content.decode()
        assert "accuhive.api" not in others
        assert all("elsewhere.api.iru.test" in line for line in curls(others))
        assert json.loads(client.get(FILE).content)["servers"] == [{"url": "http://elsewhere.api.iru.test"}]

    def test_is_a_command_line(self, browser: Client) -> None:
        for line in curls(browser.get(PAGE).content.decode()):
            words = shlex.split(line)
            assert words[0] == "curl"
            assert "{" not in words[1 if words[1].startswith("http") else 3]  # where curl would look for a list
            if "-d" in words:
                assert isinstance(json.loads(words[words.index("-d") + 1]), dict)

    @pytest.mark.parametrize(
        ("operation", "lines"),
        [
            ("get_device", [f'curl "{HOST}/api/v1/devices/$DEVICE_ID"', AUTHORIZATION]),
            ("create_tag", [f'curl -X POST "{HOST}/api/v1/tags"', AUTHORIZATION, JSON, """-d '{"name": "example"}'"""]),
            ("erase_device", [f'curl -X POST "{HOST}/api/v1/devices/$DEVICE_ID/action/erase"', AUTHORIZATION]),
            ("ping", [f'curl "{HOST}/app/v1/ping"']),
        ],
    )
    def test_has_what_the_call_needs(self, browser: Client, operation: str, lines: list[str]) -> None:
        page = browser.get(PAGE).content.decode()
        body = page.split(f'id="{operation}"')[1]
        assert curls(body)[0] == " \\\n  ".join(lines)


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
    words = shlex.split(entry.curl.replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", "https://x.test/a/$B"]
    assert json.loads(words[words.index("-d") + 1]) == {"it's": "it's"}
    assert words[-1] == "-OJ"
    page = render_to_string("devices/_operation.html", {"entry": entry})
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
