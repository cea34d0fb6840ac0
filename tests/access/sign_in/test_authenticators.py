"""Two-step verification below the pages: codes, their one use, and what is stored of them."""

import threading
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection

from access.audit.events import Actor
from access.models import Administrator, AuditEvent, Session, Tenant
from access.sealing import SecretUnreadable
from access.sign_in import authenticators
from access.sign_in.authenticators import authenticators_of, has_second_step, use_code
from tests.database import repeated
from tests.factories.access import SECRET, AdministratorFactory, AuthenticatorFactory, code_of

TEST = Actor.command("test")
ADDRESS = "192.0.2.7"
pytestmark = pytest.mark.django_db


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant)


def codes_of(person: Administrator) -> list[str]:
    return authenticators.replace_recovery_codes(person=person, actor=TEST)


def use(person: Administrator, code: str) -> bool:
    return use_code(person=person, code=code, address=ADDRESS) is not None


def summaries(person: Administrator) -> list[str]:
    events = AuditEvent.objects.filter(tenant=person.tenant, target_component="authenticators")
    return list(events.order_by("sequence").values_list("summary", flat=True))


class TestApp:
    def test_a_code_works_once_and_so_does_each_later_one(self, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        assert [use(person, code_of()), use(person, code_of())] == [True, False]
        assert [use(person, code_of(periods=1)), use(person, code_of())] == [True, False]

    def test_clocks_may_differ_by_one_code(self, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        assert not use(person, code_of(periods=-2))
        assert not use(person, code_of(periods=2))
        assert use(person, code_of(periods=-1))

    def test_a_code_is_typed_in_groups(self, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        assert use(person, f" {code_of()[:3]} {code_of()[3:]} ")

    @pytest.mark.parametrize(
        "code", ["", "000000", "12345", "\uff11\uff12\uff13\uff14\uff15\uff16", "abcdef", "0" * 5000, "\0" * 6]
    )
    def test_other_texts_are_wrong(self, person: Administrator, code: str) -> None:
        AuthenticatorFactory.create(user=person, secret=bytes(20))
        assert not use(person, code)

    def test_a_code_of_somebody_else_is_wrong(self, person: Administrator, tenant: Tenant) -> None:
        AuthenticatorFactory.create(user=person, secret=bytes(range(20)))
        AuthenticatorFactory.create(user=AdministratorFactory.create(tenant=tenant))
        assert not use(person, code_of())

    def test_the_secret_is_stored_encrypted_and_for_its_person(self, person: Administrator, tenant: Tenant) -> None:
        row = AuthenticatorFactory.create(user=person)
        with connection.cursor() as cursor:
            cursor.execute("SELECT data FROM mfa_authenticator")
            stored = str(cursor.fetchall())
        assert "sealed" in stored
        assert not {SECRET.decode(), "OR3W"} & set(stored.split('"'))
        row.user = AdministratorFactory.create(tenant=tenant)
        row.save()
        with pytest.raises(SecretUnreadable):
            use(row.user, code_of())


class TestRecoveryCodes:
    def test_each_of_ten_works_once(self, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        codes = codes_of(person)
        assert (len(codes), len(set(codes)), authenticators_of(person).codes) == (10, 10, 10)
        assert [use(person, codes[0].lower().replace("-", " ")), use(person, codes[0])] == [True, False]
        assert authenticators_of(person).codes == 9
        assert AuditEvent.objects.get(summary="Recovery code used").metadata == {"left": 9, "address": ADDRESS}

    def test_new_ones_replace_those_before(self, person: Administrator) -> None:
        AuthenticatorFactory.create(user=person)
        before, after = codes_of(person), codes_of(person)
        assert [use(person, before[0]), use(person, after[0])] == [False, True]

    def test_they_are_for_people_with_a_second_step(self, person: Administrator) -> None:
        with pytest.raises(ValidationError):
            codes_of(person)

    def test_they_come_with_the_first_second_step_and_go_with_the_last(self, person: Administrator) -> None:
        codes = authenticators.add_app(person=person, secret=SECRET, actor=TEST)
        assert len(codes) == 10
        assert authenticators.add_app(person=person, secret=bytes(20), actor=TEST) == []
        app = authenticators_of(person).app
        assert app is not None
        authenticators.remove_own(person=person, ids=[app.pk], actor=TEST)
        assert not Authenticator.objects.exists()
        assert not use(person, codes[0])
        added = "Authenticator app added"
        assert summaries(person) == [added, added, "Authenticator app removed"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_eight_who_send_one_code_at_once_one_gets_in(person: Administrator, kind: str) -> None:
    AuthenticatorFactory.create(user=person)
    code = code_of() if kind == "app" else codes_of(person)[3]
    start, used = threading.Barrier(8), []

    def send() -> None:
        start.wait()
        try:
            used.append(repeated(lambda: use(person, code)))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(used) == [False] * 7 + [True]


class TestRemoving:
    def test_the_last_one_stays_where_it_is_required(self, person: Administrator, tenant: Tenant) -> None:
        tenant.second_step_required = True
        tenant.save()
        row = AuthenticatorFactory.create(user=person)
        with pytest.raises(ValidationError, match="required"):
            authenticators.remove_own(person=person, ids=[row.pk], actor=TEST)
        assert has_second_step(person)

    def test_the_last_one_stays_with_a_short_password(self, tenant: Tenant) -> None:
        person = AdministratorFactory.create(tenant=tenant, password="eight ch")
        row = AuthenticatorFactory.create(user=person)
        with pytest.raises(ValidationError, match="short"):
            authenticators.remove_own(person=person, ids=[row.pk], actor=TEST)
        assert has_second_step(person)

    def test_those_of_somebody_else_stay(self, person: Administrator, tenant: Tenant) -> None:
        AuthenticatorFactory.create(user=person)
        theirs = AuthenticatorFactory.create(user=AdministratorFactory.create(tenant=tenant))
        authenticators.remove_own(person=person, ids=[theirs.pk], actor=TEST)
        assert has_second_step(theirs.user)

    def test_taking_them_away_takes_a_short_password_too(self, tenant: Tenant) -> None:
        short = AdministratorFactory.create(tenant=tenant, password="eight ch")
        long = AdministratorFactory.create(tenant=tenant, password="four unrelated words")
        for person in (short, long):
            AuthenticatorFactory.create(user=person)
            authenticators.take_away(person=person, actor=TEST)
            person.refresh_from_db()
            assert not has_second_step(person)
        assert [short.has_usable_password(), long.has_usable_password()] == [False, True]


class TestCommand:
    @pytest.mark.parametrize("operator", [True, False])
    def test_reset_mfa_removes_everything(self, tenant: Tenant, operator: bool, client: Any) -> None:
        fields: dict[str, Any] = {"operator": True} if operator else {"tenant": tenant}
        person = AdministratorFactory.create(email="lost@accuhive.test", **fields)
        AuthenticatorFactory.create(user=person)
        client.force_login(person)
        call_command("reset_mfa", "LOST@accuhive.test")
        assert not Authenticator.objects.exists()
        assert not Session.objects.filter(person=person).exists()
        assert client.get("/account/")["Location"] == "/sign-in/?next=/account/"
        assert AuditEvent.objects.filter(actor_name="manage.py reset_mfa", tenant=person.tenant).exists()

    def test_it_says_what_it_cannot_do(self, person: Administrator) -> None:
        with pytest.raises(CommandError, match="no administrator"):
            call_command("reset_mfa", "nobody@accuhive.test")
        with pytest.raises(CommandError, match="has set up no"):
            call_command("reset_mfa", person.email)


def test_rewrapping_moves_the_secrets_to_the_newest_key(person: Administrator, settings: Any) -> None:
    AuthenticatorFactory.create(user=person)
    old = settings.IRU_SECRET_KEYS
    settings.IRU_SECRET_KEYS = [f"9:{'ab' * 32}", *old]
    assert authenticators.rewrap(limit=1) == 1
    assert authenticators.rewrap(limit=10) == 1
    assert authenticators.rewrap(limit=10) == 0
    settings.IRU_SECRET_KEYS = [f"9:{'ab' * 32}"]
    assert use(person, code_of())
    assert authenticators_of(person).codes == 10
