"""A new tenant together with its first Account Owner."""

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor
from access.models import Administrator, Role, Tenant
from access.people.administrators import create_administrator
from access.people.invitations import send_invitation
from access.people.tenants import create_tenant


@transaction.atomic
def found_tenant(
    *,
    name: str,
    subdomain: str,
    email: str,
    actor: Actor,
    host: str,
    first_name: str = "",
    last_name: str = "",
    password: str | None = None,
) -> tuple[Tenant, Administrator]:
    """Create the organization and its Account Owner, or neither. Without a password the owner is invited by mail.

    The link of the invitation leads to `host`. Raises ValidationError, by the names of these parameters, for a bad or
    taken subdomain or address and for a password that is easy to guess.
    """
    tenant = create_tenant(name=name, subdomain=subdomain, actor=actor)
    try:
        owner = create_administrator(
            tenant=tenant,
            email=email,
            role=Role.OWNER,
            first_name=first_name,
            last_name=last_name,
            password=password,
            actor=actor,
        )
    except ValidationError as error:
        # `validate_password` names no field.
        raise error if hasattr(error, "error_dict") else ValidationError({"password": error.error_list}) from None
    if password is None:
        send_invitation(owner, host)
    return tenant, owner
