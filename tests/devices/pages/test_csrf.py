"""No page changes anything for a form that another site sent."""

import pytest
from django.test import Client

from access.models import Administrator, Tenant
from tests.devices.pages.addresses import PAGES, address, examples_of
from tests.devices.pages.browsing import text
from tests.markup import elements

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def test_a_form_without_its_csrf_token_is_refused_by_every_page(owner: Administrator, tenant: Tenant) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    examples = examples_of(tenant)
    events = tenant.audit_events.count()
    accepted = {}
    for route in PAGES:
        response = client.post(address(route, examples))
        if response.status_code != 403 or "This form has expired" not in text(response):
            accepted[route] = response.status_code
    assert not accepted
    assert tenant.audit_events.count() == events


def test_the_csrf_token_of_a_page_opens_its_form(owner: Administrator, tenant: Tenant) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    url = address("/access/tokens/new/", {})
    fields = elements(text(client.get(url)), "input")
    (token, *_) = (field["value"] for field in fields if field.get("name") == "csrfmiddlewaretoken")
    assert client.post(url, {"csrfmiddlewaretoken": token}).status_code == 422
