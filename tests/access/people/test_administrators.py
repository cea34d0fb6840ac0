import pytest
from django.core.exceptions import ValidationError

from access.audit.events import Actor
from access.models import Administrator, AuditEvent, Role, Tenant
from access.people.administrators import create_administrator, remove_administrator
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
    gone = {"email": person.email, "role": person.role}
    remove_administrator(administrator=person, actor=Actor.command("test"))
    event = AuditEvent.objects.get(summary="Administrator removed")
    assert (event.new_state, event.metadata) == (None, gone)

    token.refresh_from_db()
    assert (token.created_by_id, token.created_by_name, token.creator_removed) == (None, "Ada Byron", True)
    assert authenticate(f"Bearer {token.secret}", subdomain="accuhive").permissions == {"list_devices"}
    assert AuditEvent.objects.latest("sequence").target_name == "Ada Byron"


def test_a_token_created_by_a_command_shows_no_removed_creator(tenant: Tenant) -> None:
    assert not create_token(tenant=tenant, name="Wall", actor=Actor.command("api_token")).token.creator_removed


def test_the_account_owner_stays(owner: Administrator) -> None:
    with pytest.raises(ValidationError):
        remove_administrator(administrator=owner, actor=Actor.command("test"))
    owner.refresh_from_db()


def test_an_operator_cannot_be_removed_as_an_administrator(operator: Administrator) -> None:
    with pytest.raises(ValidationError):
        remove_administrator(administrator=operator, actor=Actor.command("test"))
    operator.refresh_from_db()
