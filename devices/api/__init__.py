"""The Endpoint API: every group of operations, in the order in which people see them."""

from devices.api import blueprints, devices, ping, tags, tokens, users
from devices.api.routing import Api

api = Api(
    blueprints.router,
    devices.router,
    devices.actions,
    tags.router,
    users.router,
    tokens.router,
    ping.router,
)
