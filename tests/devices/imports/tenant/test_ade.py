"""Copying ADE integrations and devices: all values of the API, which does not show the server tokens."""

from typing import Any

import pytest

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.tenant.ade import write_ade_devices, write_ade_integrations
from devices.models import AdeDevice, AdeIntegration
from tests.factories.access import ApiTokenFactory
from tests.factories.devices import AdeDeviceFactory, AdeTokenFactory, BlueprintFactory, UserFactory
from tests.types import Call

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("test")
ADE = "/api/v1/integrations/apple/ade"


@pytest.fixture
def answers(api: Call, other_tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    """The answers of another tenant of this server, for a server with a pending device and a routed device."""
    server = AdeTokenFactory.create(tenant=other_tenant, server_name="Source")
    user = UserFactory.create(tenant=other_tenant)
    AdeDeviceFactory.create(tenant=other_tenant, integration=server, serial_number="C02A", user=user, asset_tag="A-1")
    AdeDeviceFactory.create(
        tenant=other_tenant, integration=server, serial_number="C02B", blueprint=None, use_blueprint_routing=True
    )
    token = ApiTokenFactory.create(tenant=other_tenant, permissions=["list_ade_integrations", "list_ade_devices"])
    return {path: api("GET", f"{ADE}{path}", token).json()["results"] for path in ("", "/devices")}


def copy(tenant: Tenant, answers: dict[str, list[dict[str, Any]]]) -> list[Any]:
    return [
        write(tenant=tenant, rows=answers[path], actor=ACTOR)
        for path, write in (("", write_ade_integrations), ("/devices", write_ade_devices))
    ]


def test_all_but_the_token_is_copied(tenant: Tenant, answers: dict[str, list[dict[str, Any]]]) -> None:
    source = AdeDevice.objects.get(serial_number="C02A")
    assert source.blueprint
    assert source.user
    blueprint = BlueprintFactory.create(tenant=tenant, uuid=source.blueprint.uuid)
    user = UserFactory.create(tenant=tenant, uuid=source.user.uuid)
    integrations, devices = copy(tenant, answers)
    assert (integrations.created, devices.created) == (1, 2)
    assert "its server token cannot be copied" in "\n".join(integrations.problems.lines(10))
    copied = tenant.ade_integrations.get()
    assert (copied.server_name, copied.blueprint, copied.email) == ("Source", blueprint, "it@accuhive.test")
    assert (copied.status, copied.ciphertext) == ("BROKEN", None)
    row = tenant.ade_devices.get(serial_number="C02A")
    assert (row.uuid, row.blueprint, row.user, row.asset_tag) == (source.uuid, blueprint, user, "A-1")
    assert tenant.ade_devices.get(serial_number="C02B").use_blueprint_routing
    again = copy(tenant, answers)
    assert [(each.created, each.updated) for each in again] == [(0, 0), (0, 0)]


def test_an_integration_that_was_renewed_here_stays(tenant: Tenant, answers: dict[str, list[dict[str, Any]]]) -> None:
    copy(tenant, answers)
    AdeIntegration.objects.filter(tenant=tenant).update(ciphertext=b"token", key_number=1, server_name="Ours")
    (integrations, _) = copy(tenant, answers)
    assert list(integrations.problems.lines(10)) == []
    assert tenant.ade_integrations.get().server_name == "Ours"


def test_rows_that_cannot_be_used_are_named(tenant: Tenant, answers: dict[str, list[dict[str, Any]]]) -> None:
    AdeTokenFactory.create(tenant=tenant, server_uuid=answers[""][0]["server_uuid"], server_name="Ours")
    answers["/devices"].append({"id": "x"})
    integrations, devices = copy(tenant, answers)
    assert (integrations.created, devices.created) == (0, 0)
    text = "\n".join([*integrations.problems.lines(10), *devices.problems.lines(10)])
    assert "another one has this server here" in text
    assert "its integration is not here" in text
