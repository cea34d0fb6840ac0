"""The Endpoint API: every group of operations, in the order of the permission editor."""

from devices.api.operations import (
    actions,
    activity,
    ade,
    admins,
    audit,
    blueprint_routing,
    blueprints,
    custom_scripts,
    devices,
    inventory,
    library_items,
    lost_mode,
    notes,
    ping,
    secrets,
    self_service,
    settings,
    tags,
    tokens,
    users,
)
from devices.api.operations import (
    openapi as reference,
)
from devices.api.routing import Api

api = Api(
    blueprints.router,
    blueprint_routing.router,
    notes.router,
    devices.router,
    lost_mode.router,
    activity.router,
    inventory.router,
    actions.router,
    secrets.router,
    ade.router,
    custom_scripts.router,
    library_items.router,
    self_service.router,
    tags.router,
    users.router,
    admins.router,
    audit.router,
    settings.router,
    tokens.router,
    reference.router,
    ping.router,
)
