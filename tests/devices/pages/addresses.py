"""Every page of the project, by the route that the URL configuration declares, and an object for each id in a route."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from access.audit.events import Actor
from access.models import Tenant
from access.tokens.lifecycle import create_token
from tests.factories.access import AdministratorFactory, AuthenticatorFactory, WebhookDeliveryFactory
from tests.factories.devices import (
    AdeDeviceFactory,
    AdeTokenFactory,
    AssignmentFactory,
    BlueprintFactory,
    BulkActionFactory,
    CustomProfileFactory,
    DeviceCommandFactory,
    DeviceFactory,
    MdmAuthorityFactory,
    NoteFactory,
    TagFactory,
    ThreatFactory,
    UserFactory,
    VulnerabilityDetectionFactory,
    VulnerabilityFactory,
    VulnerableSoftwareFactory,
)

type Examples = dict[str, Any]

# Parts of a route that name no object of a tenant.
WORDS = {
    "kind": "filevault_key",
    "family": "mac",
    "action": "restart",
    "category": "apps",
    "uidb36": "1",
    "key": "nonsense",
    "session_id": "0" * 40,
    "subdomain": "nowhere",
    "operation_id": "list_devices",
}


def _routes(patterns: list[Any], start: str = "/") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = f"{start}{str(pattern.pattern).removeprefix('^').removesuffix('$')}"
        if isinstance(pattern, URLPattern):
            yield route, pattern
        elif isinstance(pattern, URLResolver) and pattern.app_name != "admin":
            yield from _routes(pattern.url_patterns, route)


# Without Django admin, which has its own tests.
PAGES: dict[str, URLPattern] = dict(_routes(get_resolver().url_patterns))


def parameters(route: str) -> list[str]:
    """The ids in a route, in order."""
    return [name for name in PAGES[route].pattern.regex.groupindex if name not in WORDS]


def address(route: str, examples: Examples) -> str:
    """The path of a page about these objects."""
    pattern = PAGES[route]
    values = WORDS | examples
    return reverse(str(pattern.name), kwargs={name: values[name] for name in pattern.pattern.regex.groupindex})


def examples_of(tenant: Tenant, name: str = "Example") -> Examples:
    """An object of the tenant for each id in a route. Every text that people may write begins with `name`."""
    user = UserFactory.create(tenant=tenant, name=f"{name} person", email=f"{name}@people.test")
    blueprint = BlueprintFactory.create(tenant=tenant, name=f"{name} Blueprint")
    tags = [TagFactory.create(tenant=tenant, name=f"{name} tag")]
    device = DeviceFactory.create(tenant=tenant, name=f"{name} device", user=user, blueprint=blueprint, tags=tags)
    note = NoteFactory.create(tenant=tenant, device=device, content=f"{name} note", author=f"{name} author")
    item = CustomProfileFactory.create(tenant=tenant, name=f"{name} item")
    server = AdeTokenFactory.create(tenant=tenant, server_name=f"{name} server", blueprint=blueprint)
    ade_device = AdeDeviceFactory.create(
        tenant=tenant, integration=server, user=user, model=f"{name} model", asset_tag=f"{name} asset"
    )
    vulnerability = VulnerabilityFactory.create(tenant=tenant, cve_id=f"{name}-CVE", description=f"{name} description")
    software = VulnerableSoftwareFactory.create(tenant=tenant, name=f"{name} software")
    VulnerabilityDetectionFactory.create(device=device, vulnerability=vulnerability, software=software)
    ThreatFactory.create(device=device, name=f"{name} threat")
    actor = Actor.command(f"{name} command")
    delivery = WebhookDeliveryFactory.create(webhook__tenant=tenant, webhook__url=f"https://hooks.test/{name}")
    person = AdministratorFactory.create(
        tenant=tenant, first_name=f"{name} first", last_name=f"{name} last", is_active=False
    )
    app = AuthenticatorFactory.create(user=person)
    return {
        "person_id": person.pk,
        "authority_id": MdmAuthorityFactory.create(tenant=tenant).pk,
        "authenticator_id": app.pk,
        "device_id": device.uuid,
        "command_id": DeviceCommandFactory.create(device=device, requested_by=f"{name} requester").uuid,
        "note_id": note.uuid,
        "blueprint_id": blueprint.uuid,
        "item_id": item.uuid,
        "assignment_id": AssignmentFactory.create(blueprint=blueprint, library_item=item).pk,
        "cve_id": vulnerability.cve_id,
        "user_id": user.uuid,
        "ade_token_id": server.uuid,
        "ade_device_id": ade_device.uuid,
        "bulk_action_id": BulkActionFactory.create(tenant=tenant, label=f"{name} bulk action").uuid,
        "webhook_id": delivery.webhook.uuid,
        "delivery_id": delivery.uuid,
        "token_id": create_token(tenant=tenant, name=f"{name} token", actor=actor).token.id,
    }
