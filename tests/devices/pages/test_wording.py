"""How the pages write what they are given: much of a thing, little of it, and words of machines."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib import admin

from access.models import Tenant
from access.templatetags.access import breakable
from devices.models import DeviceCommand, Platform
from devices.pages import listing
from tests.devices.pages.browsing import HTMX, SignIn, page, text
from tests.factories.devices import BlueprintFactory, DeviceCommandFactory, DeviceFactory, TagFactory, UserFactory
from tests.markup import elements

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]
ROWS = {**HTMX, "HX-Target": "rows"}


def filter_count(rows: str) -> tuple[str, bool]:
    """The number that a search sends to the filter's button, and whether it is hidden there."""
    (badge,) = [span for span in elements(rows, "span") if span.get("id") == "filter-count"]
    assert badge["hx-swap-oob"] == "true"
    number = re.search(r'id="filter-count"[^>]*>(\d+)', rows)
    assert number
    return number[1], "hidden" in badge


def test_a_row_names_six_tags_and_counts_the_others(tenant: Tenant, sign_in: SignIn) -> None:
    tags = [TagFactory.create(tenant=tenant, name=f"Tag {number}") for number in range(8)]
    device = DeviceFactory.create(tenant=tenant, tags=tags)
    client = sign_in()
    rows = text(client.get("/devices/", headers=ROWS))
    assert rows.count('title="Tag ') == 6
    assert "2 more" in rows
    assert text(client.get(page("device", device))).count('<li class="badge">Tag ') == 8


def test_the_filter_button_shows_its_count_after_a_search(tenant: Tenant, sign_in: SignIn) -> None:
    DeviceFactory.create(tenant=tenant)
    client = sign_in()
    whole = text(client.get("/devices/", {"platform": "Mac"}))
    assert whole.count('id="filter-count"') == 1
    rows = text(client.get("/devices/", {"platform": "Mac", "seen": "never"}, headers=ROWS))
    assert filter_count(rows) == ("2", False)
    assert filter_count(text(client.get("/devices/", headers=ROWS))) == ("0", True)


def test_a_search_of_any_list_is_in_the_address(
    tenant: Tenant, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PER_PAGE", 1)
    for name in ("Macs of sales", "Macs of design"):
        BlueprintFactory.create(tenant=tenant, name=name)
    device = DeviceFactory.create(tenant=tenant, details={}, blueprint=BlueprintFactory.create(tenant=tenant, name="A"))
    device.inventory.apps = [{"app_name": "Slack", "bundle_id": "com.slack"}]
    device.inventory.save()
    client = sign_in()
    response = client.get("/blueprints/", {"q": "macs"}, headers=ROWS)
    assert response["HX-Push-Url"] == "/blueprints/?q=macs"
    assert 'href="?q=macs&amp;page=2"' in text(response)
    assert client.get("/blueprints/", {"q": ""}, headers=ROWS)["HX-Push-Url"] == "/blueprints/"
    apps = page("device-apps", device)
    assert client.get(apps, {"q": "sla"}, headers=ROWS)["HX-Push-Url"] == f"{apps}?q=sla"


def test_a_failed_command_is_listed_with_any_error_chain(tenant: Tenant, sign_in: SignIn) -> None:
    errors = [{"us_english_description": "Busy", "code": 1}, {"localized_description": "Besetzt"}, {}]
    command = DeviceCommandFactory.create(device__tenant=tenant, status=DeviceCommand.Status.FAILED, error_chain=errors)
    content = text(sign_in().get(page("device-commands", command.device)))
    assert [word in content for word in ("Busy", "Besetzt", "The device gave no reason.")] == [True] * 3


def test_constants_become_words(tenant: Tenant, sign_in: SignIn) -> None:
    details = {"management": {"ownership": "COMPANY_OWNED"}, "security": {"device_posture": "AT_RISK"}}
    device = DeviceFactory.create(tenant=tenant, platform=Platform.ANDROID, details=details)
    content = text(sign_in().get(page("device", device)))
    assert "Company owned" in content
    assert "At risk" in content


def test_the_page_of_a_device_that_never_checked_in_explains_itself(tenant: Tenant, sign_in: SignIn) -> None:
    silent = DeviceFactory.create(tenant=tenant, last_check_in=None, os_version="")
    assert "has not checked in yet" in text(sign_in().get(page("device", silent)))


def test_a_user_without_a_name_is_called_by_the_address_once(tenant: Tenant, sign_in: SignIn) -> None:
    user = UserFactory.create(tenant=tenant, name="", email="ana@accuhive.test")
    client = sign_in()
    assert text(client.get("/users/")).count("ana@<wbr>accuhive.<wbr>test") == 1
    assert text(client.get(f"/users/{user.uuid}/")).count("ana@<wbr>accuhive.<wbr>test") == 1


def test_addresses_break_between_their_parts() -> None:
    assert breakable("/api/v1/{id}/x.y") == "/api/<wbr>v1/<wbr>{id}/<wbr>x.<wbr>y"
    assert breakable("<b>a.b</b>. ") == "&lt;b&gt;a.<wbr>b&lt;/b&gt;. "
    assert breakable(breakable("a.b")) == "a.<wbr>b"


FORMER = "kandji"  # the former name of the vendor
# Names of the contract, and of other people's products: no page shows them, or shows them as values of the API.
CONTRACT = re.compile(
    r"kandji_agent|kandji-setup|kandji-enroll\.mobileconfig|com\.kandji\.profile|kandjiagentversion|api\.kandji\.io"
)
# The editor of permissions calls the command as the vendor does.
VENDORS = {"devices/commands/reinstall_agent.py"}


def product_files(*endings: str) -> Iterator[Path]:
    for folder in ("access", "devices", "templates", "static"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in endings and "migrations" not in path.parts:
                yield path


@pytest.mark.sqlite_only
def test_the_vendor_has_one_name() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in product_files(".py", ".html", ".txt", ".js", ".css")
        if FORMER in CONTRACT.sub("", path.read_text()).casefold()
    ]
    assert set(found) - VENDORS == set()


@pytest.mark.sqlite_only
def test_there_is_one_word_for_e_mail() -> None:
    """In the text of templates, in what people read of the sources of the pages, and in the labels of Django admin."""
    word = re.compile(r"\b[Ee]mails?\b(?! *[=(.:])|(?<![\w-])mail address", re.ASCII)
    wrong = []
    for path in product_files(".html", ".txt"):
        shown = re.sub(r"(?s){[{%#].*?[}%#]}|<[^>]*>", " ", path.read_text())
        wrong += [f"{path.name}: {match[0]}" for match in word.finditer(shown)]
    sentence = re.compile(r"[\"'](?:[A-Z][^\"'\n]* )?(?:Email|[^\"'\n]* (?:email|mail) address)[^\"'\n]*[\"']")
    for path in (ROOT / app / "pages" for app in ("access", "devices")):
        for source in path.rglob("*.py"):
            wrong += [f"{source.name}: {match[0]}" for match in sentence.finditer(source.read_text())]
    for model, registered in admin.site._registry.items():
        shown_fields = {str(each) for each in registered.list_display}
        wrong += [
            f"{model.__name__}: {field.verbose_name}"
            for field in model._meta.concrete_fields
            if field.name in shown_fields and word.search(str(field.verbose_name))
        ]
    assert not wrong


@pytest.mark.sqlite_only
def test_no_term_is_said_again_by_its_value() -> None:
    again = re.compile(r"(?si)(?:<dt>|data-label=\")([\w ]+)(?:</dt>\s*<dd[^>]*>|\"[^>]*>)\s*(?:{%[^%]*%}\s*)*\1 ")
    assert again.search("<dt>Last used</dt>\n<dd>\n{% if a %}\nLast used 3 minutes ago")
    wrong = {path.name: match[0] for path in product_files(".html") for match in again.finditer(path.read_text())}
    assert not wrong
