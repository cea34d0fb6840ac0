"""A row in every table that a page shows."""

from access.audit.events import Actor
from access.models import ApiToken, Role, Tenant
from access.sign_in.upkeep import clear_sessions
from devices.enrollment.routing import update_routing
from devices.fleet.secrets import store_secret
from devices.models import DeviceSecret
from tests.factories import devices as factories
from tests.factories.access import AdministratorFactory, ApiTokenFactory, WebhookDeliveryFactory


def something_of_everything(tenant: Tenant) -> ApiToken:
    """Give the tenant something of everything. Returns its token; the rest is found in the tenant."""
    owner = tenant.administrators.first() or AdministratorFactory.create(tenant=tenant, role=Role.OWNER)
    tag, user = factories.TagFactory.create(tenant=tenant), factories.UserFactory.create(tenant=tenant)
    device = factories.DeviceFactory.create(tenant=tenant, tags=[tag], user=user, details={"general": {}})
    for made in (
        factories.DeviceCommandFactory,
        factories.DeviceActivityFactory,
        factories.NoteFactory,
        factories.VulnerabilityDetectionFactory,
        factories.ThreatFactory,
        factories.BehavioralDetectionFactory,
    ):
        made.create(tenant=tenant, device=device)
    tenant.vulnerabilities.update(device_count=1)  # as the services count
    factories.LostModeFactory.create(device=device)
    factories.BulkActionFactory.create(tenant=tenant)
    item = factories.CustomScriptFactory.create(tenant=tenant)
    factories.AdeDeviceFactory.create(tenant=tenant, integration__blueprint=device.blueprint)
    factories.AssignmentFactory.create(blueprint=device.blueprint, library_item=item)
    WebhookDeliveryFactory.create(webhook__tenant=tenant)
    factories.PushCertificateFactory.create(tenant=tenant)
    clear_sessions.enqueue()
    store_secret(device=device, kind=DeviceSecret.Kind.FILEVAULT_KEY, value="HUSH-HUSH")
    update_routing(tenant=tenant, actor=Actor.of(owner), enrollment_code="424242", enrollment_code_active=True)
    token: ApiToken = ApiTokenFactory.create(tenant=tenant, permissions=["list_devices"], created_by=owner)
    return token
