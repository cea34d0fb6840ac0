"""The promise of every list: the address bar follows, and htmx gets the rows alone."""

import pytest

from access.models import Tenant
from access.pages import token_list
from devices.models import Device, DeviceInventory
from devices.pages import devices, listing
from tests.devices.pages.addresses import address, examples_of
from tests.devices.pages.browsing import HTMX, SignIn, text

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
