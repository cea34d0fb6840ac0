"""Changes of the administrators of a tenant. None of them touches a token."""

import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, difference, log_event
from access.models import Administrator, AuditEvent, IdentityProvider, Role, Tenant
from access.sign_in.authenticators import take_away

EDITED = ("first_name", "last_name", "role")


@transaction.atomic
def create_administrator(
    *,
    tenant: Tenant,
    email: str,
    role: Role,
    actor: Actor,
    first_name: str = "",
    last_name: str = "",
    password: str | None = None,
) -> Administrator:
    """Create a person of the tenant. Without a password they are Pending, and need an invitation.

    Raises ValidationError for a bad or taken address, a second Account Owner or a password that is easy to guess.
    """
    administrator = Administrator(
        tenant=tenant,
        email=email.strip().lower(),
        first_name=first_name.strip(),
        last_name=last_name.strip(),
        role=role,
        joined_at=timezone.now() if password is not None else None,
    )
    if role == Role.OWNER and tenant.administrators.filter(role=Role.OWNER).exists():
        raise ValidationError(
            {"role": "The organization has an Account Owner already. Transfer the ownership instead."}
        )
    if password is not None:
        validate_password(password, administrator)
    administrator.set_password(password)
    administrator.full_clean(exclude=["password"])
    administrator.save(force_insert=True)
    log_event(
        target=target_of(administrator), actor=actor, action=AuditEvent.Action.CREATE, summary="Administrator added"
    )
    return administrator


@transaction.atomic
def edit_administrator(
    *, tenant: Tenant, person_id: uuid.UUID, first_name: str, last_name: str, role: str, actor: Actor
) -> Administrator:
    """Change the name and the access level. A new level ends the person's sessions with their next request.

    Raises ValidationError for a new level of the Account Owner or of the actor, and for a second Account Owner.
    """
    person = locked(tenant, person_id)
    new = {"first_name": first_name.strip(), "last_name": last_name.strip(), "role": role}
    if not (changes := difference({name: getattr(person, name) for name in EDITED}, new)):
        return person
    if "role" in changes:
        if Role.OWNER in {person.role, role}:
            raise ValidationError({"role": "Transfer the ownership to change the Account Owner."})
        if _is(actor, person):
            raise ValidationError({"role": "Another administrator changes your access level."})
    for name, value in new.items():
        setattr(person, name, value)
    person.clean_fields(exclude={field.name for field in person._meta.fields} - new.keys())
    person.save(update_fields=[*new, "updated_at"])
    summary = "Access level changed" if "role" in changes else "Administrator renamed"
    log_event(target=target_of(person), actor=actor, action=AuditEvent.Action.UPDATE, summary=summary, changes=changes)
    return person


@transaction.atomic
def suspend_administrator(*, tenant: Tenant, person_id: uuid.UUID, actor: Actor) -> Administrator:
    """Refuse the person from the commit on: their sessions end, and they cannot sign in. Their tokens work on.

    Raises ValidationError for the Account Owner and for the actor.
    """
    person = locked(tenant, person_id)
    _check_ending(person, actor, "suspended")
    if person.is_active:
        _set_active(person, actor, "Administrator suspended", active=False)
    return person


@transaction.atomic
def unsuspend_administrator(*, tenant: Tenant, person_id: uuid.UUID, actor: Actor) -> Administrator:
    """Let the person sign in again."""
    person = locked(tenant, person_id)
    if not person.is_active:
        _set_active(person, actor, "Administrator unsuspended", active=True)
    return person


@transaction.atomic
def delete_administrator(*, tenant: Tenant, person_id: uuid.UUID, actor: Actor) -> Administrator:
    """Delete a suspended person. The tokens they created stay active and keep the name of their creator.

    Raises ValidationError for a person who is not suspended; the Account Owner never is.
    """
    person = locked(tenant, person_id)
    _check_ending(person, actor, "deleted")
    if person.is_active:
        raise ValidationError(f"{person.name} is not suspended. Suspend the person first.")
    target = target_of(person)  # a deleted object has no id
    person.delete()
    log_event(
        target=target,
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary="Administrator removed",
        metadata=_state(person),
    )
    return person


@transaction.atomic
def transfer_ownership(*, tenant: Tenant, person_id: uuid.UUID, actor: Actor) -> Administrator:
    """Make an Admin the Account Owner; the owner until now becomes an Admin. The sessions of both end.

    Raises ValidationError if the actor is neither the Account Owner nor an operator, or the person is no active Admin.
    """
    # Both rows in one order, so that two transfers at once wait for each other.
    roles = {Role.OWNER, Role.ADMIN}
    rows = tenant.administrators.select_for_update(no_key=True).filter(role__in=roles).order_by("pk")
    people = {row.pk: row for row in rows}
    owner = next((row for row in people.values() if row.role == Role.OWNER), None)
    by_operator = actor.type == AuditEvent.ActorType.OPERATOR
    if not by_operator and (owner is None or not _is(actor, owner)):
        raise ValidationError("Only the Account Owner transfers the ownership.")
    person = people.get(person_id)
    if person is None or person is owner or person.status != "active":
        raise ValidationError("The ownership goes to an active Admin.")
    if not person.has_usable_password() and IdentityProvider.objects.filter(tenant=tenant).exists():
        raise ValidationError(
            "An Account Owner has a password, for when single sign-on fails. This Admin has none yet."
        )
    # The owner first, because a tenant has one of them. Only an operator finds a tenant without one.
    for row, role in ((owner, Role.ADMIN), (person, Role.OWNER)):
        if row is not None:
            row.role = role
            row.save(update_fields=["role", "updated_at"])
    log_event(
        target=Target.whole(tenant),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Ownership transferred",
        changes={"account_owner": {"old": owner.email if owner else None, "new": person.email}},
    )
    return person


@transaction.atomic
def take_away_authenticators(
    *, tenant: Tenant, person_id: uuid.UUID, ids: Iterable[int], actor: Actor
) -> Administrator:
    """Remove second steps of a person who lost them, for the Account Owner. The person's sessions end.

    Raises ValidationError if the actor is not the Account Owner, or is the person.
    """
    person = locked(tenant, person_id)
    owner = tenant.administrators.filter(role=Role.OWNER).first()
    if owner is None or not _is(actor, owner) or person == owner:
        raise ValidationError("Only the Account Owner removes authenticators of others.")
    take_away(person=person, ids=ids, actor=actor)
    return person


def locked(tenant: Tenant, person_id: uuid.UUID) -> Administrator:
    """The person, locked until the end of the transaction. Raises Administrator.DoesNotExist."""
    person: Administrator = tenant.administrators.select_for_update(no_key=True).get(pk=person_id)
    return person


def target_of(administrator: Administrator, component: str = "") -> Target:
    if administrator.tenant is None:
        raise ValidationError("Operators belong to no tenant and are managed with createsuperuser.")
    state = partial(_state, administrator)
    return Target(administrator.tenant, "user", administrator.id, administrator.name, component, state)


def _set_active(person: Administrator, actor: Actor, summary: str, *, active: bool) -> None:
    person.is_active = active
    person.save(update_fields=["is_active", "updated_at"])
    log_event(target=target_of(person), actor=actor, action=AuditEvent.Action.UPDATE, summary=summary)


def _check_ending(person: Administrator, actor: Actor, done: str) -> None:
    if person.role == Role.OWNER:
        raise ValidationError(f"The Account Owner cannot be {done}. Transfer the ownership first.")
    if _is(actor, person):
        raise ValidationError(f"Your own account cannot be {done} by you. Ask another administrator.")


def _is(actor: Actor, person: Administrator) -> bool:
    return actor.administrator is not None and actor.administrator.pk == person.pk


def _state(administrator: Administrator) -> dict[str, Any]:
    return {"email": administrator.email, "role": administrator.role, "active": administrator.is_active}
