"""The capabilities of each role. A page names the capability that it needs, and nothing else decides about access."""

from enum import StrEnum, auto

from access.models import Administrator, Role


class Capability(StrEnum):
    """A right that a role has or has not."""

    VIEW = auto()
    EDIT_DEVICES = auto()  # assignment, blueprint, asset tag, tags, notes
    ACT_ON_DEVICES = auto()  # commands, and deleting a device's record
    READ_SECRETS = auto()
    EDIT_BLUEPRINTS = auto()  # and which library items they install
    EDIT_LIBRARY = auto()
    EDIT_USERS = auto()
    MANAGE_ACCESS = auto()


_AUDITOR = frozenset({Capability.VIEW})
_HELP_DESK = _AUDITOR | {Capability.EDIT_DEVICES, Capability.ACT_ON_DEVICES}
_STANDARD = _HELP_DESK | {
    Capability.READ_SECRETS,
    Capability.EDIT_BLUEPRINTS,
    Capability.EDIT_LIBRARY,
    Capability.EDIT_USERS,
}

ROLES: dict[str, frozenset[Capability]] = {
    Role.OWNER: _STANDARD | {Capability.MANAGE_ACCESS},
    Role.ADMIN: _STANDARD | {Capability.MANAGE_ACCESS},
    Role.STANDARD: _STANDARD,
    Role.HELP_DESK: _HELP_DESK,
    Role.AUDITOR: _AUDITOR,
    Role.SECRETS_AUDITOR: _AUDITOR | {Capability.READ_SECRETS},
}


def may(administrator: Administrator, capability: Capability) -> bool:
    """Whether the person's role includes the capability. Operators have no tenant and therefore no capabilities."""
    return administrator.tenant_id is not None and capability in ROLES.get(administrator.role, frozenset())
