"""The MCP configuration of a new token: shown once, masked like the token, and enough for the official client."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from access.tokens.digests import SHAPE
from tests.browser.servers import Server
from tests.devices.mcp.assistants import connected, run

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
MASKED = "Bearer ••••••••-••••-••••-••••-••••••••••••"


def create(page: Page, name: str) -> None:
    page.goto("/access/tokens/")
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_label("Enable MCP").check()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="MCP configuration")).to_be_visible()


def server_of(text: str) -> dict[str, Any]:
    (server,) = json.loads(text)["mcpServers"].values()
    assert isinstance(server, dict)
    return server


def tools(server: Server, configuration: dict[str, Any]) -> list[str]:
    """The tools that the official client finds with this configuration. Not every machine knows *.localhost."""
    url = configuration["url"].replace("accuhive.api.localhost", "127.0.0.1")
    assert url == f"http://127.0.0.1:{server.port}/mcp"

    async def ask() -> list[str]:
        async with connected(url, configuration["headers"]) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    return run(ask)


def test_the_configuration_is_masked_shown_and_copied(signed_in: Visit, server: Server) -> None:
    page = signed_in(permissions=["clipboard-read", "clipboard-write"])
    create(page, "Assistant")
    shown = page.locator("[data-configuration]")
    assert server_of(shown.inner_text())["headers"] == {"Authorization": MASKED}

    page.get_by_role("button", name="Copy configuration").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    configuration = server_of(page.evaluate("navigator.clipboard.readText()"))
    token = configuration["headers"]["Authorization"].removeprefix("Bearer ")
    assert SHAPE.fullmatch(token)
    assert token not in page.content()  # masked means absent

    page.get_by_role("button", name="Show token").click()
    assert server_of(shown.inner_text()) == configuration
    page.evaluate("dispatchEvent(new Event('blur'))")
    assert server_of(shown.inner_text())["headers"] == {"Authorization": MASKED}

    assert tools(server, configuration) == []  # nothing is granted yet
    page.get_by_role("button", name="Show token").click()
    remains, copy = shown.element_handle(), page.get_by_role("button", name="Copy configuration").element_handle()
    page.get_by_label("I have copied the token").check()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("link", name="Configure")).to_be_visible()
    assert token not in (remains.text_content() or "")
    assert copy.evaluate("(button) => button.disabled")
    page.get_by_role("link", name="Configure").click()
    page.get_by_role("checkbox", name="Device list").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Edit", exact=True)).to_be_visible()
    expect(page.get_by_text("MCP is on:")).to_be_visible()
    assert token not in page.content()
    assert tools(server, configuration) == ["list_devices"]


def test_a_failed_copy_selects_the_configuration(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/access/tokens/")
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    create(page, "Configuration not copied")
    page.get_by_role("button", name="Copy configuration").click()
    expect(page.get_by_text("The configuration is selected")).to_be_visible()
    selected = server_of(page.evaluate("getSelection().toString()"))
    assert SHAPE.fullmatch(selected["headers"]["Authorization"].removeprefix("Bearer "))


def test_going_back_does_not_show_it_again(signed_in: Visit) -> None:
    page = signed_in()
    create(page, "Left")
    page.get_by_role("button", name="Show token").click()
    token = page.get_by_label("API token", exact=True).input_value()
    assert token in page.content()
    page.goto("/access/tokens/")
    page.go_back()
    page.wait_for_load_state()
    assert token not in page.content()


def test_without_javascript_it_opens_like_the_token(signed_in: Visit, server: Server) -> None:
    page = signed_in(java_script_enabled=False)
    create(page, "Without a script")
    text = page.locator(".configuration details pre")
    expect(text).to_be_hidden()
    page.locator("summary", has_text="Show configuration").click()
    assert tools(server, server_of(text.inner_text())) == []
    expect(page.get_by_role("button", name="Copy configuration")).to_be_hidden()


def test_a_whole_page_with_javascript_masks_it_too(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/access/tokens/new/")
    page.evaluate("document.querySelector('form[hx-post]').removeAttribute('hx-post'); htmx.process(document.body)")
    page.get_by_role("textbox", name="Name", exact=True).fill("Whole page")
    page.get_by_label("Enable MCP").check()
    page.evaluate("document.querySelector('#main form, form[method=post]:has([name=mcp])').submit()")
    expect(page.get_by_role("heading", name="MCP configuration")).to_be_visible()
    shown = page.locator("[data-configuration]")
    assert server_of(shown.inner_text())["headers"] == {"Authorization": MASKED}
    page.get_by_role("button", name="Show token").click()
    token = page.get_by_label("API token", exact=True).input_value()
    assert SHAPE.fullmatch(token)
    assert token in shown.inner_text()
    page.get_by_role("button", name="Hide token").click()
    assert token not in page.content()
