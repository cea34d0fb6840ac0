"""The styleguide: there for developers, and not there in an installation."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client
from django.urls import include, path

from access.pages.styleguide import LONG, styleguide
from tests.markup import elements

ADDRESS = "/styleguide/"


@pytest.fixture
def developer(settings: Any, client: Client) -> Client:
    """A browser without a sign-in, with DEBUG set. There is no database."""
    settings.DEBUG = True
    urls = ModuleType("urls_in_debug")
    urls.urlpatterns = [path("styleguide/", styleguide), path("", include("iru.urls"))]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urls
    return client


def test_an_installation_has_no_styleguide(client: Client, developer: Client, settings: Any) -> None:
    settings.DEBUG = False
    assert developer.get(ADDRESS).status_code == 404
    settings.ROOT_URLCONF = "iru.urls"
    assert client.get(ADDRESS).status_code == 404


def test_every_component_is_shown_without_any_data(developer: Client) -> None:
    response = developer.get(ADDRESS)
    page = response.content.decode()
    components = [file.stem for file in (Path(project.BASE_DIR) / "templates" / "components").iterdir()]
    assert [name for name in components if name not in page] == []
    for state in (LONG, "No example matches", "No examples yet", "Enter the name.", "disabled", "danger"):
        assert state in page
    assert page.count('rel="next"') == 1
    ids = [
        element["id"] for tag in ("div", "input", "h2", "form") for element in elements(page, tag) if "id" in element
    ]
    assert len(ids) == len(set(ids))


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "shown"), [("dark", "dark"), ("light", "light"), ("nonsense", "system")])
def test_a_theme_is_chosen_in_the_address(developer: Client, asked: str, shown: str) -> None:
    (document,) = elements(developer.get(ADDRESS, {"theme": asked}).content.decode(), "html")
    assert document["data-theme"] == shown


def test_its_list_can_be_searched_and_its_dialog_opened(developer: Client) -> None:
    rows = developer.get(ADDRESS, {"q": "okta"}, headers={"HX-Request": "true", "HX-Target": "rows"}).content.decode()
    assert "<html" not in rows
    assert "1 example found" in " ".join(rows.split())
    dialog = developer.get(ADDRESS, headers={"HX-Request": "true", "HX-Target": "dialog-content"}).content.decode()
    assert "<html" not in dialog
    assert 'id="dialog-title"' in dialog
