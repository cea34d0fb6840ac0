"""A person's account, signing in with a second step, and the rule that requires one."""

import base64
import html
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from access.audit.events import Actor
from access.models import Administrator, AuditEvent, Role, Session, Tenant
from access.sign_in.authenticators import replace_recovery_codes
from access.sign_in.sessions import AUTHENTICATED_AT, stored_key
from tests.access.sign_in.test_authenticators import TEST
from tests.factories.access import AdministratorFactory, AuthenticatorFactory, code_of
from tests.types import RunTasks

pytestmark = pytest.mark.django_db
PASSWORD = "seven unrelated words"
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/account/"}


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, password=PASSWORD, role=Role.OWNER)


def password_step(client: Client, person: Administrator, query: str = "") -> str:
    answer = client.post(f"/sign-in/{query}", {"login": person.email, "password": PASSWORD})
    return answer.get("Location", str(answer.status_code))


def code_step(client: Client, code: str) -> str:
    answer = client.post("/sign-in/second-step/", {"code": code})
    return answer.get("Location", str(answer.status_code))


def is_in(client: Client) -> bool:
    return bool(client.get("/session/").json()["signed_in"])


def old_session(client: Client) -> None:
    session = client.session
    session[AUTHENTICATED_AT] = 0
    session.save()


class TestSignIn:
    def test_a_password_alone_does_not_sign_in(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        assert password_step(client, person, "?next=/activity/") == "/sign-in/second-step/"
        assert not is_in(client)
        assert client.get("/access/tokens/")["Location"] == "/sign-in/?next=/access/tokens/"
        assert not AuditEvent.objects.filter(summary="Signed in").exists()
        assert code_step(client, code_of()) == "/activity/"
        assert is_in(client)

    def test_a_wrong_code_and_a_used_one_are_refused(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        code = code_of()
        password_step(client, person)
        assert code_step(client, "000000") == "422"
        assert code_step(client, code) == "/"
        thief = Client()
        password_step(thief, person)
        assert code_step(thief, code) == "422"
        assert not is_in(thief)

    def test_a_recovery_code_stands_in(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        code = replace_recovery_codes(person=person, actor=TEST)[0]
        password_step(client, person)
        assert code_step(client, code.lower()) == "/"
        assert is_in(client)

    def test_the_second_step_is_nothing_without_the_first(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        assert client.get("/sign-in/second-step/")["Location"] == "/sign-in/"
        assert code_step(client, code_of()) == "/sign-in/"
        assert not is_in(client)

    def test_codes_are_counted_like_passwords(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        password_step(client, person)
        answers = [code_step(client, "000000") for _ in range(11)]
        assert answers == ["422"] * 10 + ["429"]
        assert code_step(client, code_of()) == "429"

    def test_a_person_who_is_suspended_between_the_steps_stays_out(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        password_step(client, person)
        Administrator.objects.filter(pk=person.pk).update(is_active=False)
        assert code_step(client, code_of()) == "/suspended/"
        assert not is_in(client)
        assert not AuditEvent.objects.filter(summary="Signed in").exists()

    def test_operators_take_the_second_step_too(self, client: Client, operator: Administrator) -> None:
        operator.set_password(PASSWORD)
        operator.save()
        AuthenticatorFactory.create(user=operator)
        assert password_step(client, operator, "?next=/admin/") == "/sign-in/second-step/"
        assert client.get("/admin/").status_code == 302
        assert code_step(client, code_of()) == "/admin/"
        assert client.get("/admin/").status_code == 200

    @pytest.mark.parametrize("credential", ["", "x", "{}", "[]", '{"response": {"userHandle": "eA"}}', "null", "7"])
    def test_a_passkey_that_is_none_is_refused(self, client: Client, person: Administrator, credential: str) -> None:
        client.get("/sign-in/passkey/")
        answer = client.post("/sign-in/passkey/", {"credential": credential})
        assert answer.status_code == 422
        assert "This passkey was not accepted" in answer.content.decode()
        AuthenticatorFactory.create(user=person)
        password_step(client, person)
        assert client.post("/sign-in/second-step/", {"credential": credential}).status_code == 422

    def test_asking_for_passkeys_is_limited(self, client: Client) -> None:
        answers = [client.get("/sign-in/passkey/").status_code for _ in range(31)]
        assert answers == [200] * 30 + [429]


class TestSettingUp:
    def begin(self, client: Client) -> dict[str, str]:
        page = client.get("/account/app/", headers=HTMX).content.decode()
        (key,) = re.findall(r"<code[^>]*>([A-Z2-7 ]+)</code>", page)
        (setup,) = re.findall(r'name="setup" value="([^"]+)"', page)
        return {"key": key, "setup": html.unescape(setup)}

    def code(self, key: str) -> str:
        return code_of(base64.b32decode(key.replace(" ", "")))

    def test_an_app_and_its_recovery_codes(self, client: Client, person: Administrator) -> None:
        client.force_login(person)
        other = Client()
        other.force_login(person)
        begun = self.begin(client)
        answer = client.post("/account/app/", {"setup": begun["setup"], "code": self.code(begun["key"])}, headers=HTMX)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "no-referrer"
        (codes,) = re.findall(r'data-secret="([^"]+)"', answer.content.decode())
        assert len(codes.split()) == 10
        assert is_in(client)
        assert not is_in(other), "a session that began without a second step goes on"
        again = Client()
        password_step(again, person)
        assert code_step(again, codes.split()[0]) == "/"
        stored = str(list(Session.objects.values())) + str(list(AuditEvent.objects.values()))
        stored += str(list(Authenticator.objects.values()))
        assert not any(secret in stored for secret in (begun["key"].replace(" ", ""), *codes.split()))

    def test_a_wrong_code_sets_up_nothing(self, client: Client, person: Administrator) -> None:
        client.force_login(person)
        begun = self.begin(client)
        answer = client.post("/account/app/", {"setup": begun["setup"], "code": "000000"})
        assert answer.status_code == 422
        assert begun["key"] in answer.content.decode(), "the picture was replaced"
        assert not Authenticator.objects.exists()

    @pytest.mark.parametrize("setup", ["", "1.1.x", "x", "1.9.eA==", "nan.1.eA=="])
    def test_a_setup_that_is_not_ours_starts_again(self, client: Client, person: Administrator, setup: str) -> None:
        client.force_login(person)
        answer = client.post("/account/app/", {"setup": setup, "code": "000000"})
        assert answer.status_code == 422
        assert "Scan the new picture" in answer.content.decode()

    def test_the_setup_of_somebody_else_starts_again(
        self, client: Client, person: Administrator, tenant: Tenant
    ) -> None:
        thief = AdministratorFactory.create(tenant=tenant)
        client.force_login(thief)
        begun = self.begin(client)
        client.force_login(person)
        answer = client.post("/account/app/", {"setup": begun["setup"], "code": self.code(begun["key"])})
        assert answer.status_code == 422
        assert not Authenticator.objects.exists()

    @pytest.mark.parametrize(
        "path", ["/account/app/", "/account/recovery-codes/", "/account/authenticators/{}/remove/"]
    )
    def test_changes_ask_for_the_person_again(self, client: Client, person: Administrator, path: str) -> None:
        row = AuthenticatorFactory.create(user=person)
        client.force_login(person)
        old_session(client)
        path = path.format(row.pk)
        before = list(Authenticator.objects.values())
        begun = self.begin(client)
        data = {"setup": begun["setup"], "code": self.code(begun["key"])}
        assert client.post(path, data).status_code == 422
        assert client.post(path, {**data, "password": "wrong"}).status_code == 422
        assert list(Authenticator.objects.values()) == before
        assert client.post(path, {**data, "password": PASSWORD}).status_code in {200, 302}
        assert list(Authenticator.objects.values()) != before

    def test_a_passkey_is_made_after_the_person_is_asked(self, client: Client, person: Administrator) -> None:
        client.force_login(person)
        old_session(client)
        assert "data-passkey-new" not in client.get("/account/passkeys/new/").content.decode()
        assert "data-passkey-new" not in client.post("/account/passkeys/new/", {"password": "x"}).content.decode()
        answer = client.post("/account/passkeys/new/", {"password": PASSWORD})
        assert (answer.status_code, "data-passkey-new" in answer.content.decode()) == (200, True)

    @pytest.mark.parametrize("credential", ["", "x", "{}", "[]", "null", '{"id": "x", "response": {}}'])
    def test_a_credential_that_is_none_adds_nothing(
        self, client: Client, person: Administrator, credential: str
    ) -> None:
        client.force_login(person)
        client.get("/account/passkeys/new/")
        answer = client.post("/account/passkeys/new/", {"name": "Key", "credential": credential})
        assert answer.status_code == 422
        assert not Authenticator.objects.exists()


class TestConfirmation:
    def test_a_code_of_the_app_confirms_like_the_password(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        client.force_login(person)
        old_session(client)
        page = client.get("/access/tokens/new/").content.decode()
        assert "Confirm your password, or a code of your authenticator app" in page
        answer = client.post("/account/recovery-codes/", {"password": code_of()})
        assert answer.status_code == 200
        assert client.session[AUTHENTICATED_AT] > 0

    def test_a_used_code_and_a_recovery_code_do_not(self, client: Client, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        recovery = replace_recovery_codes(person=person, actor=TEST)[0]
        client.force_login(person)
        old_session(client)
        code = code_of()
        assert client.post("/account/recovery-codes/", {"password": code}).status_code == 200
        old_session(client)
        for given in (code, recovery):
            assert client.post("/account/recovery-codes/", {"password": given}).status_code == 422

    def test_a_passkey_that_is_none_confirms_nothing(self, client: Client, person: Administrator) -> None:
        client.force_login(person)
        old_session(client)
        assert client.get("/account/confirm/").status_code == 404
        assert client.post("/account/confirm/", {"credential": "{}"}).status_code == 422
        assert client.session[AUTHENTICATED_AT] == 0


class TestSessions:
    def test_they_are_listed_and_ended(self, client: Client, person: Administrator, tenant: Tenant) -> None:
        phone, stranger = Client(headers={"user-agent": "Mozilla/5.0 (iPhone) Version/18 Safari/605"}), Client()
        stranger.force_login(AdministratorFactory.create(tenant=tenant))
        password_step(client, person)
        password_step(phone, person)
        page = client.get("/account/").content.decode()
        assert "Safari on iPhone" in page
        assert page.count("last active") == 2
        ids = {
            name: stored_key(each.session.session_key or "")
            for name, each in {"phone": phone, "other": stranger}.items()
        }
        assert client.post(f"/account/sessions/{ids['other']}/end/").status_code == 404
        assert client.post(f"/account/sessions/{ids['phone']}/end/").status_code == 302
        assert [is_in(client), is_in(phone), is_in(stranger)] == [True, False, True]

    def test_everywhere_is_everywhere(self, client: Client, person: Administrator) -> None:
        phone = Client()
        for each in (client, phone):
            password_step(each, person)
        assert client.post("/account/sessions/end/")["Location"] == "/sign-in/"
        assert [is_in(client), is_in(phone)] == [False, False]
        assert AuditEvent.objects.filter(summary="Signed out everywhere").count() == 1

    def test_a_session_that_ended_is_not_listed_and_no_key_is_shown(
        self, client: Client, person: Administrator, settings: Any
    ) -> None:
        idle = Client()
        for each in (client, idle):
            password_step(each, person)
        session = idle.session
        session["seen"] = session["started_at"] = session["started_at"] - settings.SESSION_COOKIE_AGE - 1
        session.save()
        page = client.get("/account/").content.decode()
        assert page.count("last active") == 1
        assert (client.session.session_key or "x") not in page


class TestRule:
    @pytest.fixture
    def required(self, tenant: Tenant) -> Tenant:
        tenant.second_step_required = True
        tenant.save()
        return tenant

    def test_nothing_else_opens_before_it_is_set_up(
        self, client: Client, person: Administrator, required: Tenant
    ) -> None:
        client.force_login(person)
        for path in ("/", "/access/tokens/", "/devices/", "/activity/csv/", "/access/people/"):
            assert client.get(path)["Location"] == "/account/", path
        assert client.get("/devices/", headers=HTMX)["HX-Redirect"] == "/account/"
        assert client.post("/access/tokens/new/", {"name": "Sneaked"})["Location"] == "/account/"
        assert "Two-step verification is required here" in client.get("/account/").content.decode()
        begun = TestSettingUp().begin(client)
        client.post("/account/app/", {"setup": begun["setup"], "code": TestSettingUp().code(begun["key"])})
        assert client.get("/access/tokens/").status_code == 200

    def test_a_person_who_has_it_notices_nothing(self, client: Client, person: Administrator, required: Tenant) -> None:
        AuthenticatorFactory.create(user=person)
        password_step(client, person)
        code_step(client, code_of())
        assert client.get("/access/tokens/").status_code == 200

    def test_it_is_set_on_the_page_of_people(self, client: Client, person: Administrator, tenant: Tenant) -> None:
        client.force_login(person)
        client.post("/access/people/second-step/", {"required": "1"})
        tenant.refresh_from_db()
        assert tenant.second_step_required
        event = AuditEvent.objects.get(summary="Rule for signing in changed")
        assert event.changes == {"second_step_required": {"old": False, "new": True}}

    def test_operators_have_a_setting(self, client: Client, operator: Administrator, settings: Any) -> None:
        client.force_login(operator)
        assert client.get("/admin/").status_code == 200
        settings.IRU_OPERATORS_SECOND_STEP = True
        assert client.get("/admin/")["Location"] == "/account/"
        assert client.get("/account/").status_code == 200


class TestOthers:
    def test_the_owner_removes_what_somebody_lost(self, client: Client, person: Administrator, tenant: Tenant) -> None:
        loser = AdministratorFactory.create(tenant=tenant)
        row = AuthenticatorFactory.create(user=loser)
        theirs = Client()
        theirs.force_login(loser)
        client.force_login(person)
        url = f"/access/people/{loser.pk}/authenticators/"
        assert "Authenticator app" in client.get(url).content.decode()
        assert client.post(url, {"authenticators": ["0"]}).status_code == 422
        assert client.post(url, {"authenticators": [row.pk]}).status_code == 302
        assert not Authenticator.objects.exists()
        assert not is_in(theirs)
        assert AuditEvent.objects.get(summary="Authenticator app removed").actor_id == str(person.pk)

    def test_nobody_else_may_and_not_for_oneself(self, client: Client, person: Administrator, tenant: Tenant) -> None:
        admin = AdministratorFactory.create(tenant=tenant, role=Role.ADMIN)
        client.force_login(admin)
        assert client.get(f"/access/people/{person.pk}/authenticators/").status_code == 403
        client.force_login(person)
        assert client.get(f"/access/people/{person.pk}/authenticators/").status_code == 403


class TestPassword:
    def test_eight_characters_are_enough_beside_a_second_step(
        self, client: Client, person: Administrator, run_tasks: RunTasks, mailoutbox: Any
    ) -> None:
        def choose(password: str) -> int:
            client.post("/password/reset/", {"email": person.email})
            run_tasks()
            path = re.findall(r"https?://[^/\s]+(/\S+)", mailoutbox[-1].body)[0]
            form = client.get(path)["Location"]
            return int(client.post(form, {"password1": password, "password2": password}).status_code)

        assert choose("k9 zebra") == 422
        AuthenticatorFactory.create(user=person)
        assert choose("k9 zebr") == 422
        assert choose("k9 zebra") == 302
        person.refresh_from_db()
        assert person.short_password


def test_the_actor_of_a_change_has_an_address(client: Client, person: Administrator) -> None:
    client.force_login(person)
    begun = TestSettingUp().begin(client)
    client.post("/account/app/", {"setup": begun["setup"], "code": TestSettingUp().code(begun["key"])})
    event = AuditEvent.objects.get(summary="Authenticator app added")
    assert (event.actor_id, event.metadata) == (str(person.pk), {"address": "127.0.0.1"})
    assert Actor.of(person).id == event.actor_id


@pytest.mark.parametrize("path", ["/access/tokens/", "/account/", "/nowhere/", "/admin/"])
def test_each_page_of_a_signed_in_person_has_the_version(
    owner: Administrator, operator: Administrator, settings: Any, path: str
) -> None:
    settings.VERSION = "7.8.9"
    client = Client()
    assert "7.8.9" not in client.get("/sign-in/").content.decode()
    client.force_login(operator if path == "/admin/" else owner)
    assert "Version 7.8.9" in client.get(path).content.decode()
