"""Moving through a page with Tab alone."""

import re

from playwright.sync_api import Page

LABEL = "(e => e.getAttribute('aria-label') || e.labels?.[0]?.innerText || e.innerText || '')(document.activeElement)"
MOST = 100


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is on an element that matches."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with Tab")


def press(page: Page, selector: str) -> None:
    """Go there with Tab and press Enter, once the page or dialog has loaded."""
    page.wait_for_load_state("networkidle")
    tab_to(page, selector)
    page.keyboard.press("Enter")


def tab_to_label(page: Page, label: str) -> None:
    """Press Tab until the focus is on an element whose label begins like this."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if re.match(re.escape(label), page.evaluate(LABEL).strip()):
            return
    raise AssertionError(f"{label} cannot be reached with Tab")
