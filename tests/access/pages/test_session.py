"""Signing in, choosing a new password, the theme and the first page."""

from datetime import datetime, timedelta
from threading import Event
from urllib.parse import urlencode

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core import mail
from django.test import Client

from access.audit.events import Actor
from access.models import Administrator, Role, Tenant
from access.people.tenants import edit_tenant
from tests.access.pages.test_tokens import PASSWORD, person
from tests.types import RunTasks

pytestmark = pytest.mark.django_db


def sign_in(client: Client, email: str, password: str = PASSWORD, query: str = "") -> str:
    response = client.post(f"/sign-in/{query}", {"login": email, "password": password})
    return response.get("Location", str(response.status_code))


def test_signing_in_leads_each_person_to_their_first_page(client: Client, tenant: Tenant) -> None:
    owner, auditor = person(tenant, password=PASSWORD), person(tenant, Role.AUDITOR, PASSWORD)
    operator = Administrator.objects.create_superuser("op@example.test", PASSWORD)
    for who, place in ((owner, "/overview/"), (auditor, "/overview/"), (operator, "/admin/")):
        assert sign_in(client, who.email) == "/"
        first = client.get("/", follow=True)
        assert (first.status_code, first.request["PATH_INFO"]) == (200, place)
        client.post("/sign-out/")
    assert client.get("/")["Location"] == "/sign-in/?next=/"


def test_a_wrong_password_and_an_unknown_account_sound_the_same(client: Client, tenant: Tenant) -> None:
    owner = person(tenant, password=PASSWORD)
    answers = [
        client.post("/sign-in/", {"login": email, "password": "wrong"})
        for email in (owner.email, "nobody@accuhive.test")
    ]
    assert {answer.status_code for answer in answers} == {422}
    pages = [answer.content.decode().split("error-summary")[1].split("</div>")[0] for answer in answers]
    assert pages[0] == pages[1]


def test_operators_sign_in_where_attempts_are_counted(client: Client, tenant: Tenant) -> None:
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/sign-in/?next=%2Fadmin%2F"
    client.force_login(person(tenant))
    assert client.get("/admin/login/").status_code == 403


def test_people_of_a_suspended_tenant_cannot_sign_in(client: Client, tenant: Tenant) -> None:
    owner = person(tenant, password=PASSWORD)
    edit_tenant(tenant_id=tenant.pk, name=tenant.name, active=False, actor=Actor.command("test"))
    assert sign_in(client, owner.email) == "/suspended/"
    assert "_auth_user_id" not in client.session
    assert not tenant.audit_events.filter(summary="Signed in").exists()


@pytest.mark.parametrize(
    "place", ["//evil.test/", "https://evil.test/", "http://accuhive.api.iru.test/", "/\\evil.test"]
)
def test_signing_in_leads_to_our_own_pages(client: Client, tenant: Tenant, place: str) -> None:
    assert sign_in(client, person(tenant, password=PASSWORD).email, query=f"?{urlencode({'next': place})}") == "/"


def test_a_new_password_by_mail(client: Client, tenant: Tenant, run_tasks: RunTasks) -> None:
    owner = person(tenant, password=PASSWORD)
    for email in (owner.email, "nobody@accuhive.test"):
        assert client.post("/password/reset/", {"email": email})["Location"] == "/password/reset/sent/"
    assert run_tasks() == 2  # for an unknown address too, so that both take the same time
    (message,) = mail.outbox
    assert owner.name in message.body
    link = next(line for line in str(message.body).splitlines() if line.startswith("http"))
    form = client.get(link, follow=True)
    new = "quite another long passphrase"
    weak = client.post(form.request["PATH_INFO"], {"password1": "short", "password2": "short"})
    assert weak.status_code == 422
    done = client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert done["Location"] == "/password/reset/done/"
    assert sign_in(client, owner.email, new) == "/"
    assert "This link has expired" in Client().get(link, follow=True).content.decode()


@pytest.mark.parametrize(("minutes", "works"), [(59, True), (61, False)])
def test_a_reset_link_lasts_an_hour(
    client: Client, tenant: Tenant, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch, minutes: int, works: bool
) -> None:
    client.post("/password/reset/", {"email": person(tenant).email})
    run_tasks()
    link = next(line for line in str(mail.outbox[0].body).splitlines() if line.startswith("http"))
    later = datetime.now() + timedelta(minutes=minutes)  # noqa: DTZ005 - as Django reads it
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda generator: later)
    page = client.get(link, follow=True).content.decode()
    assert ('name="password1"' in page, "This link has expired" in page) == (works, not works)


def reset_link(someone: Administrator, run_tasks: RunTasks) -> str:
    Client().post("/password/reset/", {"email": someone.email})
    run_tasks()
    return next(line for line in str(mail.outbox[-1].body).splitlines() if line.startswith("http"))


NEW_PASSWORD = {"password1": "another long passphrase of mine", "password2": "another long passphrase of mine"}


@pytest.mark.parametrize("end", ["suspended", "deleted", "tenant", "address", "signed in since"])
def test_a_reset_link_that_is_over_changes_nothing(
    client: Client, tenant: Tenant, run_tasks: RunTasks, end: str
) -> None:
    owner = person(tenant, password=PASSWORD)
    link = reset_link(owner, run_tasks)
    form = client.get(link, follow=True).request["PATH_INFO"]
    match end:
        case "suspended":
            Administrator.objects.filter(pk=owner.pk).update(is_active=False)
        case "deleted":
            owner.delete()
        case "tenant":
            Tenant.objects.filter(pk=tenant.pk).update(active=False)
        case "address":
            Administrator.objects.filter(pk=owner.pk).update(email="changed@accuhive.test")
        case _:
            sign_in(Client(), owner.email)
    before = Administrator.objects.filter(pk=owner.pk).values_list("password").first()
    for visitor, url in ((client, form), (Client(), link)):
        page = visitor.post(url, NEW_PASSWORD, follow=True).content.decode()
        assert "This link has expired" in page, end
    assert Administrator.objects.filter(pk=owner.pk).values_list("password").first() == before


def test_somebody_who_is_signed_in_does_not_become_the_person(
    client: Client, tenant: Tenant, run_tasks: RunTasks
) -> None:
    owner, other = person(tenant, password=PASSWORD), person(tenant, Role.AUDITOR)
    client.force_login(other)
    form = client.get(reset_link(owner, run_tasks), follow=True).request["PATH_INFO"]
    client.post(form, NEW_PASSWORD)
    assert client.session.get("_auth_user_id") in {None, str(other.pk)}


def test_a_slow_mail_server_does_not_delay_the_answer(
    client: Client, tenant: Tenant, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Event()
    waited = []
    monkeypatch.setattr("access.sign_in.mail.EmailMessage.send", lambda mail: waited.append(answered.wait(10)))
    assert client.post("/password/reset/", {"email": person(tenant).email}).status_code == 302
    answered.set()
    run_tasks()
    assert waited == [True]


@pytest.mark.parametrize("host", ["localhost:6666", "LOCALHOST.:6666", "localhost"])
def test_the_link_leads_to_our_own_port(client: Client, tenant: Tenant, run_tasks: RunTasks, host: str) -> None:
    client.post("/password/reset/", {"email": person(tenant).email}, headers={"host": host})
    run_tasks()
    assert "\nhttp://localhost/password/reset/" in str(mail.outbox[0].body)


def test_reset_links_are_counted(client: Client, tenant: Tenant) -> None:
    answers = [client.post("/password/reset/", {"email": "nobody@accuhive.test"}).status_code for _ in range(11)]
    assert answers == [302] * 10 + [429]


def test_the_theme_is_kept_in_a_cookie(client: Client) -> None:
    response = client.post("/theme/", {"theme": "dark", "next": "/sign-in/"})
    assert response["Location"] == "/sign-in/"
    assert response.cookies["theme"]["samesite"] == "Lax"
    assert 'data-theme="dark"' in client.get("/sign-in/").content.decode()
    assert client.post("/theme/", {"theme": "neon", "next": "//evil.test/"})["Location"] == "/"
    assert client.get("/theme/").status_code == 405


def test_error_pages_stand_alone_and_in_the_shell(client: Client, tenant: Tenant) -> None:
    outside = client.get("/nope/")
    assert outside.status_code == 404
    assert "Page not found" in outside.content.decode()
    client.force_login(person(tenant))
    assert 'id="account-menu"' in client.get("/nope/").content.decode()
    assert Client(enforce_csrf_checks=True).post("/sign-in/", {}).status_code == 403
