"""The promise of every list: the address bar follows, and htmx gets the rows alone."""

import gzip

import pytest

from access.models import Tenant
from access.pages import token_list
from devices.models import Device, DeviceInventory
from devices.pages import devices, listing
from tests.devices.pages.addresses import address, examples_of
from tests.devices.pages.browsing import HTMX, SignIn, text
from tests.factories.devices import DeviceFactory
from tests.types import Call, IssueToken

pytestmark = pytest.mark.django_db
LISTS = ["/access/tokens/", "/devices/", "/devices/<uuid:device_id>/apps/", "/blueprints/", "/users/"]


@pytest.mark.slow
@pytest.mark.parametrize("route", LISTS)
def test_the_pushed_address_names_the_search_and_the_page(
    route: str, tenant: Tenant, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, size in ((token_list, "PER_PAGE"), (listing, "PER_PAGE"), (devices, "APPS_PER_PAGE")):
        monkeypatch.setattr(module, size, 1)
    examples, _ = (examples_of(tenant, name) for name in ("Example1", "Example2"))
    apps = [{"app_name": "Example1"}, {"app_name": "Example2"}]
    DeviceInventory.objects.create(device=Device.objects.get(uuid=examples["device_id"]), details={}, apps=apps)
    client, url = sign_in(), address(route, examples)

    def pushed(**query: str) -> str:
        response = client.get(url, query, headers={**HTMX, "HX-Target": "rows"})
        assert "<html" not in text(response)
        return response["HX-Push-Url"]

    assert pushed(q="Example") == pushed(q="Example", page="1") == f"{url}?q=Example"
    assert pushed(q="Example", page="2") == f"{url}?q=Example&page=2"
    assert pushed(page="2") == f"{url}?page=2"
    assert pushed() == url
    whole = client.get(url, {"q": "Example", "page": "2"})
    assert "<html" in text(whole)
    assert "HX-Push-Url" not in whole


def test_pages_are_sent_compressed_and_answers_of_the_api_are_not(
    tenant: Tenant, sign_in: SignIn, api: Call, issue_token: IssueToken
) -> None:
    DeviceFactory.create_batch(20, tenant=tenant)
    client = sign_in()
    plain, page = client.get("/devices/"), client.get("/devices/", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain
    assert page["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page["Vary"]
    assert b"</html>" in gzip.decompress(page.content)
    assert len(page.content) < len(plain.content) / 3
    # Callers of the API have a proxy that compresses, or none: compressing takes longer than the call.
    answer = api("GET", "/api/v1/devices", issue_token("list_devices"), headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer
