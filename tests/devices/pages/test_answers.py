"""The headers of every page that a signed-in person opens."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from access.models import Administrator
from devices.models import Device
from tests.devices.pages.browsing import HTMX

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def names(patterns: list[Any]) -> Iterator[tuple[str, bool]]:
    """Each page whose address names nothing, or a device alone, and whether it names one."""
    for pattern in patterns:
        if not isinstance(pattern, URLPattern):
            if not pattern.namespace:
                yield from names(pattern.url_patterns)
        elif not str(pattern.name).startswith("account_") and set(pattern.pattern.converters) <= {"device_id"}:
            yield str(pattern.name), bool(pattern.pattern.converters)


PAGES = sorted(set(names(get_resolver().url_patterns)))


@pytest.fixture
def opened(client: Client, owner: Administrator, mac: Device) -> dict[str, Client]:
    """The addresses of the pages that a GET opens, signed in as their owner."""
    client.force_login(owner)
    addresses = [reverse(name, args=[mac.uuid] if of_device else []) for name, of_device in PAGES]
    return {address: client for address in addresses if client.get(address).status_code == 200}


def test_most_pages_are_opened(opened: dict[str, Client]) -> None:
    assert {"/devices/", "/blueprints/", "/users/", "/access/tokens/", "/api-reference/"} <= set(opened)
    assert len(opened) > 12


def test_no_page_is_stored_on_the_way(opened: dict[str, Client]) -> None:
    """A cache that stored them would have to tell the pages of one person, and the pieces for htmx, from the others."""
    for address, client in opened.items():
        for headers in ({}, HTMX):
            assert "no-store" in client.get(address, headers=headers)["Cache-Control"], address


def test_head_answers_as_get_without_the_body(opened: dict[str, Client]) -> None:
    for address, client in opened.items():
        get, head = client.get(address), client.head(address)
        assert (head.status_code, head.getvalue()) == (200, b""), address
        assert set(head.headers) == set(get.headers), address
