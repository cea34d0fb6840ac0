from collections.abc import Callable
from functools import partial

import pytest
from django.core.exceptions import ValidationError

from access.audit.events import Actor
from access.models import Administrator, AuditEvent, Role, Tenant
from access.people.administrators import (
    create_administrator,
    delete_administrator,
    edit_administrator,
    suspend_administrator,
    transfer_ownership,
    unsuspend_administrator,
)
from access.people.confirmation import NotAllowedAnyMore, lasting_actor
from access.roles import Capability
from access.tokens.authentication import authenticate
from access.tokens.lifecycle import create_token
from tests.factories.access import AdministratorFactory
from tests.types import IssueToken

PASSWORD = "four unrelated words suffice"


def test_a_new_person_signs_in_with_the_address_in_lower_case(tenant: Tenant) -> None:
    person = create_administrator(
        tenant=tenant, email=" New@Accuhive.TEST", role=Role.ADMIN, password=PASSWORD, actor=Actor.command("test")
    )

    assert person.email == "new@accuhive.test"
    assert person.check_password(PASSWORD)
    event = AuditEvent.objects.get()
    assert (event.summary, event.target_id) == ("Administrator added", str(person.id))
    assert PASSWORD not in str(AuditEvent.objects.values().get())


@pytest.mark.parametrize(
    ("email", "role", "password"),
    [
        ("owner@accuhive.test", Role.ADMIN, None),
        ("OWNER@accuhive.test", Role.ADMIN, None),
        ("no address", Role.ADMIN, None),
        ("second@accuhive.test", Role.OWNER, None),
        ("new@accuhive.test", Role.ADMIN, "too short"),
        ("new@accuhive.test", Role.ADMIN, "new@accuhive.test"),
    ],
    ids=["taken", "taken-in-capitals", "no-address", "second-owner", "short-password", "own-address"],
)
def test_bad_input_leaves_nobody(owner: Administrator, email: str, role: Role, password: str | None) -> None:
    assert owner.tenant
    with pytest.raises(ValidationError):
        create_administrator(
            tenant=owner.tenant, email=email, role=role, password=password, actor=Actor.command("test")
        )
    assert Administrator.objects.get() == owner
    assert not AuditEvent.objects.exists()


def test_a_removed_persons_tokens_work_on_and_keep_their_name(tenant: Tenant, issue_token: IssueToken) -> None:
    person = AdministratorFactory.create(tenant=tenant, first_name="Ada", last_name="Byron")
    token = issue_token("list_devices", created_by=person)
    gone = {"email": person.email, "role": person.role, "active": False}
    suspend_administrator(tenant=tenant, person_id=person.pk, actor=Actor.command("test"))
    delete_administrator(tenant=tenant, person_id=person.pk, actor=Actor.command("test"))
    event = AuditEvent.objects.get(summary="Administrator removed")
    assert (event.new_state, event.metadata) == (None, gone)

    token.refresh_from_db()
    assert (token.created_by_id, token.created_by_name, token.creator_removed) == (None, "Ada Byron", True)
    assert authenticate(f"Bearer {token.secret}", subdomain="accuhive").permissions == {"list_devices"}
    assert AuditEvent.objects.latest("sequence").target_name == "Ada Byron"


def test_a_token_created_by_a_command_shows_no_removed_creator(tenant: Tenant) -> None:
    assert not create_token(tenant=tenant, name="Wall", actor=Actor.command("api_token")).token.creator_removed


COMMAND = Actor.command("test")


def events(tenant: Tenant) -> list[str]:
    return list(tenant.audit_events.order_by("sequence").values_list("summary", flat=True))


@pytest.mark.parametrize("end", [suspend_administrator, delete_administrator])
def test_the_account_owner_stays(tenant: Tenant, owner: Administrator, end: Callable[..., object]) -> None:
    with pytest.raises(ValidationError, match="Transfer the ownership first"):
        end(tenant=tenant, person_id=owner.pk, actor=COMMAND)
    owner.refresh_from_db()
    assert (owner.status, events(tenant)) == ("active", [])


@pytest.mark.parametrize("end", [suspend_administrator, delete_administrator])
def test_nobody_ends_their_own_account(tenant: Tenant, end: Callable[..., object]) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    with pytest.raises(ValidationError, match="Ask another administrator"):
        end(tenant=tenant, person_id=person.pk, actor=Actor.of(person))
    person.refresh_from_db()
    assert (person.status, events(tenant)) == ("active", [])


def test_only_a_suspended_person_is_deleted(tenant: Tenant) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    with pytest.raises(ValidationError, match="is not suspended"):
        delete_administrator(tenant=tenant, person_id=person.pk, actor=COMMAND)
    person.refresh_from_db()


@pytest.mark.parametrize(
    "change",
    [
        suspend_administrator,
        unsuspend_administrator,
        delete_administrator,
        partial(edit_administrator, first_name="", last_name="", role=Role.ADMIN),
    ],
    ids=["suspend", "unsuspend", "delete", "edit"],
)
def test_nothing_is_changed_about_operators_and_other_tenants(
    tenant: Tenant, other_tenant: Tenant, operator: Administrator, change: Callable[..., object]
) -> None:
    for person in (operator, AdministratorFactory.create(tenant=other_tenant)):
        with pytest.raises(Administrator.DoesNotExist):
            change(tenant=tenant, person_id=person.pk, actor=COMMAND)
        person.refresh_from_db()


def test_suspending_twice_is_one_event(tenant: Tenant) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    for change in (suspend_administrator, suspend_administrator, unsuspend_administrator, unsuspend_administrator):
        change(tenant=tenant, person_id=person.pk, actor=COMMAND)
    assert events(tenant) == ["Administrator suspended", "Administrator unsuspended"]


def test_an_edit_records_what_changed(tenant: Tenant) -> None:
    person = AdministratorFactory.create(tenant=tenant, first_name="Ada", last_name="Byron")
    for last, role in (("Byron", Role.ADMIN), ("King", Role.ADMIN), ("King", Role.AUDITOR)):
        edit_administrator(
            tenant=tenant, person_id=person.pk, first_name=" Ada ", last_name=last, role=role, actor=COMMAND
        )
    assert events(tenant) == ["Administrator renamed", "Access level changed"]
    renamed, changed = tenant.audit_events.order_by("sequence")
    assert renamed.changes == {"last_name": {"old": "Byron", "new": "King"}}
    assert changed.changes == {"role": {"old": "admin", "new": "auditor"}}


@pytest.mark.parametrize("role", [Role.OWNER, "root"])
def test_an_edit_makes_no_second_owner_and_no_unknown_level(tenant: Tenant, owner: Administrator, role: str) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    with pytest.raises(ValidationError):
        edit_administrator(tenant=tenant, person_id=person.pk, first_name="", last_name="", role=role, actor=COMMAND)
    person.refresh_from_db()
    assert (person.role, events(tenant)) == (Role.ADMIN, [])


def test_nobody_changes_their_own_level_or_that_of_the_owner(tenant: Tenant, owner: Administrator) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    for target, actor in ((person, Actor.of(person)), (owner, Actor.of(person)), (owner, Actor.of(owner))):
        with pytest.raises(ValidationError):
            edit_administrator(
                tenant=tenant, person_id=target.pk, first_name="", last_name="", role=Role.AUDITOR, actor=actor
            )
    assert {person.role for person in tenant.administrators.all()} == {Role.OWNER, Role.ADMIN}
    edit_administrator(
        tenant=tenant, person_id=owner.pk, first_name="New", last_name="Name", role=Role.OWNER, actor=Actor.of(owner)
    )
    owner.refresh_from_db()
    assert owner.name == "New Name"


def test_the_ownership_moves_with_one_event(tenant: Tenant, owner: Administrator) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    transfer_ownership(tenant=tenant, person_id=person.pk, actor=Actor.of(owner))
    owner.refresh_from_db()
    person.refresh_from_db()
    assert (owner.role, person.role) == (Role.ADMIN, Role.OWNER)
    event = tenant.audit_events.get()
    assert (event.summary, event.changes) == (
        "Ownership transferred",
        {"account_owner": {"old": owner.email, "new": person.email}},
    )


@pytest.mark.parametrize(
    "fields",
    [{"role": Role.STANDARD}, {"is_active": False}, {"pending": True}, {"tenant": None, "operator": True}],
    ids=["no-admin", "suspended", "pending", "operator"],
)
def test_the_ownership_goes_to_an_active_admin_alone(
    tenant: Tenant, owner: Administrator, fields: dict[str, object]
) -> None:
    person = AdministratorFactory.create(**{"tenant": tenant, **fields})
    with pytest.raises(ValidationError):
        transfer_ownership(tenant=tenant, person_id=person.pk, actor=Actor.of(owner))
    owner.refresh_from_db()
    assert (owner.role, events(tenant)) == (Role.OWNER, [])


def test_only_the_owner_transfers(tenant: Tenant, owner: Administrator) -> None:
    admin, other = AdministratorFactory.create_batch(2, tenant=tenant)
    for actor in (Actor.of(admin), COMMAND):
        with pytest.raises(ValidationError, match="Only the Account Owner"):
            transfer_ownership(tenant=tenant, person_id=other.pk, actor=actor)
    with pytest.raises(ValidationError):
        transfer_ownership(tenant=tenant, person_id=owner.pk, actor=Actor.of(owner))
    owner.refresh_from_db()
    assert owner.role == Role.OWNER


def test_the_right_to_change_people_is_looked_at_again(tenant: Tenant, owner: Administrator) -> None:
    """Of two who suspend each other at once, the second is refused: it was suspended in between."""
    admin, other = AdministratorFactory.create_batch(2, tenant=tenant)
    actor = lasting_actor(administrator=admin, tenant=tenant, capability=Capability.MANAGE_ACCESS)
    suspend_administrator(tenant=tenant, person_id=admin.pk, actor=Actor.of(other))
    with pytest.raises(NotAllowedAnyMore):
        suspend_administrator(tenant=tenant, person_id=other.pk, actor=actor)
    other.refresh_from_db()
    assert other.is_active
