import pytest

from access.audit.events import Actor
from access.models import Tenant
from devices.enrollment.ade import Defaults, create_integration
from devices.models import AdeIntegration
from tests.apple import Apple, server_token
from tests.factories.devices import BlueprintFactory
from tests.types import RunTasks


@pytest.fixture
def integration(tenant: Tenant, apple: Apple) -> AdeIntegration:
    """A new integration of an administrator. Its first sync waits in the queue."""
    blueprint = BlueprintFactory.create(tenant=tenant, name="Company Macs")
    return create_integration(
        tenant=tenant,
        content=server_token(tenant),
        defaults=Defaults(
            blueprint_id=blueprint.uuid, use_blueprint_routing=False, email="it@accuhive.test", phone="555 0100"
        ),
        actor=Actor.command("test"),
    )


@pytest.fixture
def synced(integration: AdeIntegration, run_tasks: RunTasks) -> AdeIntegration:
    run_tasks()
    integration.refresh_from_db()
    return integration
