"""Every way to a password is in a trail: of a tenant's person in the tenant's, of an operator in the installation's."""

import ast
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command, get_commands
from django.test import Client

from access.models import Administrator, AuditEvent, Tenant
from tests.factories.access import AdministratorFactory
from tests.processes import ROOT
from tests.types import RunTasks

pytestmark = pytest.mark.slow

OLD, NEW = "four unrelated words suffice", "quite another long passphrase"

# Calls that give somebody a password, and the functions that make them. Each writes an event in its transaction.
SETTING = {"set_password", "make_password", "create_user", "create_superuser"}
ALLOWED = {
    "access/models/admins.py": "the manager, called by those below",
    "access/people/administrators.py": "create_administrator",
    "access/people/invitations.py": "accept",
    "access/people/operators.py": "create_operator",
    "access/sign_in/passwords.py": "change_password",
    "devices/management/commands/quickstart.py": "a weak one that IRU_OWNER_PASSWORD chose, beside its owner's event",
}


@pytest.fixture(params=["person", "operator"])
def person(request: pytest.FixtureRequest, tenant: Tenant) -> Administrator:
    fields: dict[str, Any] = {"operator": True} if request.param == "operator" else {"tenant": tenant}
    return AdministratorFactory.create(email="person@accuhive.test", password=OLD, **fields)


def trail(tenant: Tenant | None) -> list[tuple[str, str, str, str, Any]]:
    events = AuditEvent.objects.filter(tenant=tenant).order_by("sequence")
    return list(events.values_list("summary", "target_name", "target_component", "actor_name", "metadata"))


@pytest.fixture(autouse=True)
def no_password_in_any_event(db: None) -> Any:
    yield
    rows = str(list(AuditEvent.objects.values()))
    assert not any(secret in rows for secret in (OLD, NEW, "argon2"))


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`typed("a", "b")`: what somebody types at the prompts of a command."""

    def typed(*texts: str) -> None:
        answers = iter(texts)
        monkeypatch.setattr("getpass.getpass", lambda prompt="": next(answers))

    return typed


def test_by_a_reset_link(person: Administrator, client: Client, run_tasks: RunTasks) -> None:
    client.post("/password/reset/", {"email": person.email})
    run_tasks()
    link = next(line for line in str(mail.outbox[0].body).splitlines() if line.startswith("http"))
    form = client.get(link, follow=True).request["PATH_INFO"]
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    person.refresh_from_db()
    assert person.check_password(NEW)
    metadata = {"address": "127.0.0.1"}
    assert trail(person.tenant) == [("Password set by a reset link", person.name, "password", person.name, metadata)]


def test_by_the_command(person: Administrator, typed: Callable[..., None]) -> None:
    typed(NEW, "something else", "short", "short", NEW, NEW)
    errors = StringIO()
    call_command("changepassword", person.email.upper(), stdout=StringIO(), stderr=errors)
    assert "The two are not the same." in errors.getvalue()
    assert "too short" in errors.getvalue()
    person.refresh_from_db()
    assert person.check_password(NEW)
    assert trail(person.tenant) == [("Password changed", person.name, "password", "manage.py changepassword", None)]


def test_a_command_that_gives_up_changes_nothing(person: Administrator, typed: Callable[..., None]) -> None:
    typed(*["short"] * 6)
    with pytest.raises(CommandError, match="not changed"):
        call_command("changepassword", person.email, stdout=StringIO(), stderr=StringIO())
    with pytest.raises(CommandError, match="Nobody signs in with"):
        call_command("changepassword", "nobody@accuhive.test")
    assert Administrator.objects.get().check_password(OLD)
    assert trail(person.tenant) == []


def test_an_operators_own_in_django_admin(client: Client) -> None:
    operator = AdministratorFactory.create(operator=True, password=OLD)
    client.force_login(operator)
    data = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    assert client.post("/admin/password_change/", data).status_code == 302
    assert client.get("/admin/").status_code == 200  # this session goes on
    changed = ("Password changed", operator.name, "password", operator.name, {"address": "127.0.0.1"})
    assert changed in trail(None)


def test_a_new_operators(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", NEW)
    call_command("createsuperuser", "--noinput", "--email", "New@example.test", stdout=StringIO())
    operator = Administrator.objects.get()
    assert (operator.email, operator.is_superuser, operator.tenant) == ("new@example.test", True, None)
    assert operator.check_password(NEW)
    assert trail(None) == [("Operator added", operator.name, "", "manage.py createsuperuser", None)]
    with pytest.raises(CommandError, match="already taken"):
        call_command("createsuperuser", "--noinput", "--email", "new@example.test")


def test_a_change_without_its_event_is_none(
    person: Administrator, typed: Callable[..., None], monkeypatch: Any
) -> None:
    def fail(**event: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr("access.sign_in.passwords.log_event", fail)
    typed(NEW, NEW)
    with pytest.raises(RuntimeError):
        call_command("changepassword", person.email, stdout=StringIO())
    assert Administrator.objects.get().check_password(OLD)


def test_signing_in_and_out(person: Administrator, client: Client) -> None:
    client.post("/sign-in/", {"login": person.email, "password": OLD})
    client.post("/sign-out/")
    facts = (person.name, "session", person.name, {"address": "127.0.0.1"})
    assert trail(person.tenant) == [("Signed in", *facts), ("Signed out", *facts)]


def test_no_other_code_sets_a_password() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for app in ("access", "devices", "iru")
        for path in (ROOT / app).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SETTING
    }
    assert found == set(ALLOWED)


def test_commands_of_django_that_set_a_password_are_ours() -> None:
    assert {get_commands()[name] for name in ("changepassword", "createsuperuser")} == {"access"}
