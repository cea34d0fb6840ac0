"""The pages of Prism: the rows for filters added by clicking, the bars, and exports."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.models import Platform, PrismExport
from devices.models.prism.categories import CATEGORIES
from tests.devices.pages.browsing import SignIn
from tests.devices.prism.reports import app, fleet_with_apps, report
from tests.factories.devices import BlueprintFactory, DeviceFactory
from tests.types import RunTasks

pytestmark = pytest.mark.django_db

APPS = "/prism/apps/"


@pytest.fixture
def client(sign_in: SignIn) -> Client:
    return sign_in()


def links(content: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="([^"]*)"', content)]


def shown(client: Client, path: str) -> list[list[str]]:
    """The cell texts of each row."""
    content = client.get(path).content.decode()
    body = content.partition("<tbody")[2].partition("</tbody>")[0]
    return [
        [_text(cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    ]


def _text(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def filter_of(link: str) -> Any:
    return json.loads(parse_qs(urlsplit(link).query)["filter"][0])


@pytest.fixture
def fleet(tenant: Tenant) -> Tenant:
    design = BlueprintFactory.create(tenant=tenant, name="Design")
    mac = DeviceFactory.create(tenant=tenant, name="Ann's Mac", blueprint=design)
    pad = DeviceFactory.create(tenant=tenant, name="Bob's iPad", platform=Platform.IPAD)
    report(mac, app("Slack", "2.0", beta_app=True), app("Zoom", "1.0"))
    report(pad, app("Slack", "1.0", beta_app=False))
    return tenant


def test_every_category_has_a_page_and_its_number(client: Client, fleet: Tenant) -> None:
    assert [row[0] for row in shown(client, "/prism/")] == [category.label for category in CATEGORIES.values()]
    assert ["Applications", "The applications that are installed on devices", "3"] in shown(client, "/prism/")
    for name in CATEGORIES:
        assert client.get(reverse("prism-category", args=[name])).status_code == 200
    assert client.get("/prism/nothing/").status_code == 404


def test_a_click_on_a_value_shows_the_rows_that_have_it(client: Client, fleet: Tenant) -> None:
    content = client.get(APPS).content.decode()
    (link,) = {link for link in links(content) if link.startswith("?") and "2.0" in link}
    assert filter_of(link) == {"version": {"in": ["2.0"]}}
    assert [row[:3] for row in shown(client, APPS + link)] == [["Ann's Mac", "Slack", "2.0"]]
    narrowed = client.get(APPS + link).content.decode()
    assert "Version is 2.0" in narrowed
    assert "1 row found" in " ".join(narrowed.split())


def test_a_condition_is_added_and_removed(client: Client, fleet: Tenant) -> None:
    response = client.get(APPS, {"column": "name", "operator": "contains", "value": "sla", "family": "Mac"})
    assert response.status_code == 302
    assert [row[:2] for row in shown(client, response["Location"])] == [["Ann's Mac", "Slack"]]
    both = client.get(response["Location"] + "&column=version&operator=is_not&value=1.0")
    assert filter_of(both["Location"]) == {"name": {"like": ["sla"]}, "version": {"not_in": ["1.0"]}}
    content = client.get(both["Location"]).content.decode()
    removals = re.findall(r'<a href="([^"]*)" aria-label="Remove: ([^"]*)"', content)
    assert [text for _, text in removals] == ["Name contains sla", "Version is not 1.0"]
    assert filter_of(unescape(removals[0][0])) == {"version": {"not_in": ["1.0"]}}


@pytest.mark.parametrize(
    ("column", "operator", "value", "filter"),
    [
        ("beta_app", "is", "yes", {"beta_app": {"eq": True}}),
        ("beta_app", "is_not", "Yes", {"beta_app": {"eq": False}}),
        ("beta_app", "empty", "", {"beta_app": {"is_null": True}}),
        ("bundle_size", "after", "100", {"bundle_size": {"gt": "100"}}),
        ("updated_at", "before", "2026-09-03", {"updated_at": {"lt": "2026-09-03"}}),
        ("device__user_name", "given", "", {"device__user_name": {"is_null": False}}),
    ],
)
def test_conditions_as_people_write_them(
    client: Client, fleet: Tenant, column: str, operator: str, value: str, filter: Any
) -> None:
    response = client.get(APPS, {"column": column, "operator": operator, "value": value})
    assert response.status_code == 302
    assert filter_of(response["Location"]) == filter
    assert client.get(response["Location"]).status_code == 200


@pytest.mark.parametrize(
    ("column", "operator", "value", "message"),
    [
        ("name", "after", "x", "“Name” can be asked for with: is, is not, contains, does not contain"),
        ("beta_app", "is", "perhaps", "“Beta app” is compared with yes or no."),
        ("updated_at", "after", "soon", "“Updated at” is compared with a date, such as 2026-09-03."),
        ("bundle_size", "is", "many", "“Bundle size” is compared with a number."),
    ],
)
def test_a_condition_that_cannot_be_added_is_explained(
    client: Client, fleet: Tenant, column: str, operator: str, value: str, message: str
) -> None:
    response = client.get(APPS, {"column": column, "operator": operator, "value": value})
    assert response.status_code == 422
    assert message in unescape(response.content.decode())


def test_an_address_that_is_not_understood_shows_everything_and_says_so(client: Client, fleet: Tenant) -> None:
    for query in ("filter={", 'filter={"app":{}}', "sort=app", "filter=[]"):
        response = client.get(f"{APPS}?{query}&page=99&family=x&blueprint=y")
        assert response.status_code == 200
        assert 'role="alert"' in response.content.decode()
    assert len(shown(client, f"{APPS}?filter=%7B")) == 3


def test_columns_sort_both_ways(client: Client, fleet: Tenant) -> None:
    content = client.get(f"{APPS}?sort=version").content.decode()
    assert 'aria-sort="ascending"' in content
    assert "?sort=-version" in links(content)
    assert [row[2] for row in shown(client, f"{APPS}?sort=-version")] == ["2.0", "1.0", "1.0"]


def test_bars_count_the_rows_that_a_filter_finds(client: Client, fleet: Tenant) -> None:
    def bars(path: str) -> dict[str, list[tuple[str, int]]]:
        charts = client.get(path).context["charts"]
        return {chart.label: [(row.bar.label, row.bar.count) for row in chart.bars] for chart in charts}

    assert bars(APPS)["Name"] == [("Slack", 2), ("Zoom", 1)]
    filtered = f'{APPS}?filter={{"name":{{"in":["Slack"]}}}}'
    assert sorted(bars(filtered)["Version"]) == [("1.0", 1), ("2.0", 1)]
    assert bars(f"{filtered}&family=Mac") == bars(APPS)
    assert "all rows" in client.get(f"{filtered}&family=Mac").content.decode()


def test_an_export_of_what_is_filtered_is_made_and_downloaded(
    client: Client, fleet: Tenant, run_tasks: RunTasks
) -> None:
    path = '/prism/apps/export/?filter={"name":{"in":["Slack"]}}&family=Mac'
    dialog = client.get(path).content.decode()
    assert "Name is Slack, Family is Mac" in dialog
    response = client.post(path)
    assert (response.status_code, response["Location"]) == (302, "/prism/exports/")
    assert PrismExport.objects.get().args["filter"] == {"name": {"in": ["Slack"]}}
    assert [row[:3] for row in shown(client, "/prism/exports/")] == [["Applications", "Waiting", "\N{EN DASH} None"]]
    run_tasks()
    assert [row[:3] for row in shown(client, "/prism/exports/")] == [["Applications", "Ready", "1"]]
    (link,) = [link for link in links(client.get("/prism/exports/").content.decode()) if "auth=" in link]
    parts = urlsplit(link)
    file = Client().get(f"{parts.path}?{parts.query}", headers={"host": parts.netloc})
    text = b"".join(file.streaming_content if file.streaming else [file.content]).decode()  # type: ignore[attr-defined]
    assert "Ann's Mac" in text
    assert "Bob's iPad" not in text


def test_a_page_costs_the_same_queries_for_any_number_of_rows(
    client: Client, tenant: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fleet_with_apps(tenant, 12, *(f"App {number}" for number in range(10)))
    with django_assert_max_num_queries(17):
        assert len(shown(client, APPS)) == 50
    assert len(shown(client, f"{APPS}?page=3")) == 20


def test_labels_of_columns_are_spelled_as_people_write_them() -> None:
    columns = {column.key: column.label for category in CATEGORIES.values() for column in category.columns}
    keys = ("display_os_version", "device__user_id", "user_albc_escrowed", "last_checkin_mdm", "short_version")
    assert [columns[key] for key in keys] == [
        "Display OS version",
        "User ID",
        "User ALBC escrowed",
        "Last check-in MDM",
        "Short version",
    ]
