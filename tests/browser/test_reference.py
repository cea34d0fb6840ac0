"""The API reference for integrators: examples with real ids, answers of the organization, and calls that are tried."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.servers import Server

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
Visit = Callable[..., Page]


def new_token(server: Server, name: str, *permissions: str) -> str:
    words = ("--tenant", "accuhive", "--name", name, "--permissions", *permissions)
    server.manage("api_token", "create", *words)
    return name


def test_an_integrator_tries_a_call_before_writing_it(signed_in: Visit, server: Server) -> None:
    """Found by its address, read, copied, and tried with a token that may make it and one that may not."""
    page = signed_in()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    may, may_not = new_token(server, "Reader", "get_device"), new_token(server, "Tagger", "list_tags")
    page.goto("/api-reference/#get_device")
    body = page.locator("#get_device")
    expect(body.get_by_text("The id of the device.")).to_be_visible()

    # With the keyboard: the radio buttons are one stop of the Tab key, and arrow keys choose.
    body.get_by_role("radio", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(body.get_by_role("radio", name="Python")).to_be_checked()
    expect(body.get_by_text("import requests")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    copied = page.evaluate("navigator.clipboard.readText()")
    device = re.search(r"/devices/([0-9a-f-]{36})\"", copied)
    assert device, copied
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")
    expect(body.get_by_text(f"/devices/{device[1]}").first).to_be_visible()
    expect(body.get_by_text("import requests")).to_be_hidden()

    body.get_by_role("link", name="Show an answer from your organization").click()
    sample = body.get_by_role("region", name="Answer from your organization")
    assert json.loads(sample.inner_text())["device_id"] == device[1]

    expect(body.get_by_label("device_id")).to_have_value(device[1])
    for name, status, key in ((may, "200 OK", "serial_number"), (may_not, "403 Forbidden", "permissions_url")):
        body.get_by_label("With the permissions of").select_option(name)
        body.get_by_role("button", name="Send").click()
        expect(page.locator("#get_device-trial").get_by_text(status)).to_be_visible()
        answer = json.loads(body.get_by_role("region", name="Answer of the trial").inner_text())
        assert key in answer
    page.goto(answer["permissions_url"])
    expect(page.get_by_role("heading", name=re.compile("Tagger|permissions", re.IGNORECASE)).first).to_be_visible()


def test_the_answer_in_the_readme_is_the_real_one(server: Server) -> None:
    """Of the line before it, whose token is the one that the lines of the reference read."""
    text = (ROOT / "README.md").read_text()
    line, shown = re.findall(r"```(?:sh|json)\n(.*?)```", text[text.index("call the API from") :], re.DOTALL)[:2]
    assert "export IRU_TOKEN" in line.split("curl")[0]
    (path,) = re.findall(r'curl .*\$IRU_TOKEN" "http://localhost:8000(\S+)"', line)
    words = ("--tenant", "accuhive", "--name", "Readme", "--permissions", "list_devices")
    answer = server.call(path, server.manage("api_token", "create", *words).strip())
    real = json.dumps(answer.body, indent=4).splitlines()
    documented = shown.splitlines()
    assert documented == real[: len(documented)]


def test_a_secret_is_not_tried_and_a_trial_needs_no_script(signed_in: Visit, server: Server) -> None:
    name = new_token(server, "Plain", "list_devices")
    page = signed_in(java_script_enabled=False)
    page.goto("/api-reference/")
    page.locator("summary", has_text="Device list").click()
    page.locator("#list_devices").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Device list")).to_be_visible()
    page.get_by_text("Python", exact=True).click()
    expect(page.get_by_text("import requests")).to_be_visible()
    page.get_by_label("With the permissions of").select_option(name)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("region", name="Answer of the trial")).to_be_visible()
    page.goto("/api-reference/get_filevault_recovery_key/")
    expect(page.get_by_text("It cannot be tried on this page")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
