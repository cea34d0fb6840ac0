"""`manage.py create_tenant`: the first thing after the set-up, and the way in for its owner."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django_tasks_db.models import DBTaskResult

from access.models import Administrator, AuditEvent, Role, Tenant
from tests.factories.access import AdministratorFactory
from tests.types import RunTasks

pytestmark = pytest.mark.django_db
PASSWORD = "seven unrelated words"


def run(*arguments: str, **options: str) -> tuple[str, str]:
    """Standard output and standard error of `create_tenant`."""
    out, errors = StringIO(), StringIO()
    given = {"name": "Accuhive", "subdomain": "accuhive", "owner": "Ana@accuhive.test"} | options
    call_command(
        "create_tenant", *arguments, *(f"--{name}={value}" for name, value in given.items()), stdout=out, stderr=errors
    )
    return out.getvalue(), errors.getvalue()


def choose_password(client: Client, link: str) -> None:
    """Follow the link, and sign in with the password that was chosen there."""
    path = re.sub(r"^http://testserver", "", link)
    assert client.get(path).status_code == 200
    done = client.post(path, {"password": PASSWORD, "again": PASSWORD}, follow=True)
    assert done.status_code == 200
    assert client.login(email="ana@accuhive.test", password=PASSWORD)


def test_the_owner_chooses_a_password_with_the_printed_link(client: Client) -> None:
    out, errors = run("--print-link")

    assert re.fullmatch(r"http://testserver/invitation/\S+/\n", out)
    assert "http://accuhive.api.iru.test/api/v1" in errors
    assert out.strip() not in errors
    assert not DBTaskResult.objects.exists()
    choose_password(client, out.strip())


def test_the_owner_gets_the_link_by_mail(client: Client, run_tasks: RunTasks) -> None:
    out, errors = run("--first-name=Ana", "--last-name=Ruiz")

    assert out == ""
    assert "mails ana@accuhive.test a link" in errors
    run_tasks()
    (message,) = mail.outbox
    assert message.to == ["ana@accuhive.test"]
    assert "Hello Ana Ruiz" in message.body
    assert "Account Owner of Accuhive" in message.body
    (link,) = re.findall(r"http://\S+", str(message.body))
    choose_password(client, link)


def test_the_tenant_and_its_owner_are_in_the_trail() -> None:
    run()
    events = AuditEvent.objects.filter(tenant__subdomain="accuhive").order_by("sequence")
    assert [(event.summary, event.actor_name) for event in events] == [
        ("Tenant created", "manage.py create_tenant"),
        ("Administrator added", "manage.py create_tenant"),
    ]
    owner = Administrator.objects.get()
    assert (owner.email, owner.role, owner.has_usable_password()) == ("ana@accuhive.test", Role.OWNER, False)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"subdomain": "elsewhere"}, "There is a tenant elsewhere already. Nothing was changed."),
        ({"subdomain": "Accu_hive"}, "subdomain: Use lower-case letters, digits and hyphens; start and end with "),
        ({"name": ""}, "name: This field cannot be blank."),
        ({"owner": "ana"}, "email: Enter a valid email address."),
        ({"owner": "taken@elsewhere.test"}, "email: Administrator with this E-mail already exists."),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(other_tenant: Tenant, options: dict[str, Any], line: str) -> None:
    AdministratorFactory.create(tenant=other_tenant, email="taken@elsewhere.test")
    events = AuditEvent.objects.count()
    with pytest.raises(CommandError) as error:
        run(**options)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)
    assert Tenant.objects.count() == 1
    assert Administrator.objects.count() == 1
    assert AuditEvent.objects.count() == events
    assert not DBTaskResult.objects.exists()
