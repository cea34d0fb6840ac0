"""Overview: every number equals that of the linked list, and an empty tenant sees the first steps."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from access.audit.events import Actor
from access.models import Role, Tenant
from devices.demo.fleet import load_demo_fleet
from devices.fleet import summary
from devices.models import Device, DeviceCommand, Fleet, FleetSummary, Platform, Severity
from tests.devices.pages.browsing import SignIn, text
from tests.factories.access import ApiTokenFactory
from tests.factories.devices import BlueprintFactory, DeviceCommandFactory, DeviceFactory, VulnerabilityFactory
from tests.markup import elements

pytestmark = pytest.mark.django_db
PAGE = "/overview/"


@pytest.fixture
def fleet(tenant: Tenant) -> list[Device]:
    now = timezone.now()
    seen = [now, now - timedelta(days=3), now - timedelta(days=20), now - timedelta(days=50), None]
    macs = [
        DeviceFactory.create(tenant=tenant, os_version="26.1", last_check_in=at, filevault_enabled=encrypted)
        for at, encrypted in zip(seen, (True, True, False, None, True), strict=True)
    ]
    phone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, os_version="18.7", last_check_in=now)
    DeviceCommandFactory.create(device=macs[0])
    DeviceCommandFactory.create(device=macs[0], command="lock_device", status=DeviceCommand.Status.NOT_NOW)
    failed = {"status": DeviceCommand.Status.FAILED, "date_completed": now - timedelta(days=2)}
    DeviceCommandFactory.create(device=phone, **failed)
    DeviceCommandFactory.create(device=macs[1], **{**failed, "date_completed": now - timedelta(days=9)})
    VulnerabilityFactory.create(tenant=tenant, severity=Severity.CRITICAL, known_exploited=True, device_count=2)
    VulnerabilityFactory.create_batch(2, tenant=tenant, severity=Severity.LOW, device_count=1)
    VulnerabilityFactory.create(tenant=tenant, severity=Severity.CRITICAL, known_exploited=True)
    return [*macs, phone]


def links(content: str) -> dict[str, int]:
    """The addresses of the bars and figures on the page, with their numbers."""
    found = {}
    content = content.replace("&amp;", "&")
    for element in elements(content, "a"):
        address = element["href"] or ""
        if "?" in address and urlsplit(address).path != PAGE:
            inside = content.split(f'href="{address}"')[1].split("</a>", maxsplit=1)[0]
            (number,) = re.findall(r'(?:class="bar-count">|<b>)([\d,]+)', inside)
            found[address] = int(number.replace(",", ""))
    return found


@pytest.fixture
def large_fleet(fleet: list[Device], monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    """A fleet so large that its counts are stored."""
    monkeypatch.setattr(summary, "LIVE", len(fleet) - 1)
    Fleet.objects.update(device_count=len(fleet))
    return fleet


@pytest.mark.parametrize("stored", [False, True])
def test_every_number_is_that_of_the_list_behind_it(
    sign_in: SignIn, large_fleet: list[Device], monkeypatch: pytest.MonkeyPatch, *, stored: bool
) -> None:
    if stored:
        summary.summarize_fleets.call()
    else:
        monkeypatch.undo()
    client = sign_in(Role.AUDITOR)
    assert ("were counted" in text(client.get(PAGE))) == stored
    counted = links(text(client.get(PAGE)))
    assert counted["/devices/?platform=Mac"] == 5
    assert counted["/devices/?platform=Mac&os=26.1"] == 5
    assert counted["/devices/?encryption=on"] == 3
    assert counted["/devices/?encryption=off"] == counted["/devices/?encryption=unknown"] == 1
    assert counted["/devices/?commands=waiting"] == counted["/devices/?commands=failed"] == 1
    assert counted["/vulnerabilities/?severity=critical"] == counted["/vulnerabilities/?exploited=yes"] == 1
    spans = ("day", "days", "weeks", "longer", "never")
    assert [counted[f"/devices/?seen={span}"] for span in spans] == [2, 1, 1, 1, 1]
    for address, number in counted.items():
        response = client.get(address)
        assert (response.context["page"].total, response.status_code) == (number, 200), address
        chosen = response.context["filters"].chosen
        assert chosen == {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def test_a_large_fleet_is_not_counted_for_each_reader(sign_in: SignIn, large_fleet: list[Device]) -> None:
    summary.summarize_fleets.call()
    Device.objects.filter(pk=large_fleet[0].pk).update(platform=Platform.IPAD)
    client = sign_in()
    with CaptureQueriesContext(connection) as queries:
        assert links(text(client.get(PAGE)))["/devices/?platform=Mac"] == 5
    assert not [query["sql"] for query in queries if re.search('"devices_device(command)?"', query["sql"])]
    summary.summarize_fleets.call()
    assert links(text(client.get(PAGE)))["/devices/?platform=Mac"] == 4


@pytest.mark.parametrize(
    "stored", [{"counted_at": timezone.now() - summary.OLDEST}, {"counts": {"platforms": {"Mac": 7}}}]
)
def test_counts_that_no_worker_refreshes_or_of_another_version_are_not_shown(
    sign_in: SignIn, large_fleet: list[Device], tenant: Tenant, stored: dict[str, Any]
) -> None:
    summary.summarize(tenant)
    counts = FleetSummary.objects.get().counts | {"platforms": {"Mac": 7}}
    FleetSummary.objects.update(**{"counts": counts} | stored)
    content = text(sign_in().get(PAGE))
    assert links(content)["/devices/?platform=Mac"] == 5
    assert "were counted" not in content


def test_an_import_counts_a_large_fleet_at_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "LIVE", 2)
    load_demo_fleet(tenant=tenant, actor=Actor.command("test"), count=3, complete=0)
    assert sum(FleetSummary.objects.get(tenant=tenant).counts["platforms"].values()) == 3


def test_it_costs_the_same_queries_for_any_fleet(
    sign_in: SignIn, fleet: list[Device], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in()
    client.get(PAGE)
    with django_assert_max_num_queries(14):
        client.get(PAGE)


def test_tokens_that_need_attention_are_for_those_who_manage_access(
    sign_in: SignIn, tenant: Tenant, fleet: list[Device]
) -> None:
    now = timezone.now()
    ApiTokenFactory.create(tenant=tenant, permissions=[])
    ApiTokenFactory.create(tenant=tenant, permissions=["list_devices"], expires_at=now + timedelta(days=3))
    ApiTokenFactory.create(tenant=tenant, permissions=["list_devices"], expires_at=now - timedelta(days=3))
    ApiTokenFactory.create(tenant=tenant, permissions=[], revoked_at=now)
    client = sign_in(Role.ADMIN)
    counted = {address: n for address, n in links(text(client.get(PAGE))).items() if address.startswith("/access/")}
    assert counted == {
        "/access/tokens/?expiry=expired": 1,
        "/access/tokens/?expiry=soon": 1,
        "/access/tokens/?permissions=none": 1,
    }
    for address in counted:
        assert client.get(address).context["page"].paginator.count == 1
    assert "/access/tokens/?" not in text(sign_in(Role.STANDARD).get(PAGE))


def test_an_empty_tenant_sees_three_steps_without_a_command_line(sign_in: SignIn, tenant: Tenant) -> None:
    first = text(sign_in(Role.OWNER).get(PAGE))
    assert "manage.py" not in first
    assert "/blueprints/new/" in first
    assert "/access/tokens/" in first
    assert tenant.subdomain in first
    assert "Done" not in first
    BlueprintFactory.create(tenant=tenant)
    ApiTokenFactory.create(tenant=tenant)
    assert text(sign_in(Role.OWNER).get(PAGE)).count("Done") == 2
    assert "/blueprints/new/" not in text(sign_in(Role.AUDITOR).get(PAGE))
