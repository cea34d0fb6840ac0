"""The Endpoint API: every group of operations, in the order of the permission editor."""

from devices.api.operations import (
    actions,
    activity,
    admins,
    audit,
    blueprint_routing,
    blueprints,
    devices,
    inventory,
    lost_mode,
    notes,
    ping,
    secrets,
    settings,
    tags,
    threats,
    tokens,
    users,
    vulnerabilities,
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
    tags.router,
    users.router,
    admins.router,
    threats.router,
    threats.second_version,
    vulnerabilities.router,
    audit.router,
    settings.router,
    tokens.router,
    reference.router,
    ping.router,
)
