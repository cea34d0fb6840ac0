from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.utils import timezone

from access import attempts
from access.audit.events import Actor
from access.models import Administrator, AuditEvent, CountedAttempt, Role, Session, Tenant
from access.people.tenants import edit_tenant
from access.sign_in import hashing
from access.sign_in.attempts import Attempt, Purpose, TooManyAttempts
from access.sign_in.hashing import OneAtATimeArgon2
from access.sign_in.throttle import count_attempt
from tests.factories.access import AdministratorFactory

PASSWORD = "four unrelated words suffice"
WRONG = "not the right one at all"


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, email="person@accuhive.test", password=PASSWORD)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that was hashed from here on."""
    passwords: list[str] = []

    def encode(self: OneAtATimeArgon2, password: str, salt: str) -> str:
        passwords.append(password)
        return f"argon2${salt}"

    def verify(self: OneAtATimeArgon2, password: str, encoded: str) -> bool:
        passwords.append(password)
        return password == PASSWORD

    monkeypatch.setattr(OneAtATimeArgon2, "encode", encode)
    monkeypatch.setattr(OneAtATimeArgon2, "verify", verify)
    monkeypatch.setattr(OneAtATimeArgon2, "must_update", lambda self, encoded: False)
    return passwords


def offer(password: str, email: str = "person@accuhive.test", address: str = "192.0.2.7") -> Any:
    return authenticate(RequestFactory().post("/", REMOTE_ADDR=address), email=email, password=password)


class TestAttempts:
    def test_the_eleventh_is_refused_before_its_password_is_hashed(
        self, person: Administrator, hashed: list[str]
    ) -> None:
        for n in range(10):
            assert offer(WRONG, address=f"192.0.2.{n}") is None
        assert len(hashed) == 10

        with pytest.raises(TooManyAttempts) as refused:
            offer(PASSWORD, address="198.51.100.1")
        assert len(hashed) == 10
        assert 295 < refused.value.retry_after <= 301

    def test_one_address_has_ten_for_all_accounts(self, person: Administrator, hashed: list[str]) -> None:
        for n in range(10):
            offer(WRONG, email=f"{n}@accuhive.test")
        with pytest.raises(TooManyAttempts):
            offer(PASSWORD)
        assert offer(PASSWORD, address="192.0.2.8") == person

    def test_a_v6_customer_is_one_address_and_a_v4_client_never_a_crowd(
        self, person: Administrator, hashed: list[str]
    ) -> None:
        for n in range(10):
            offer(WRONG, email=f"{n}@accuhive.test", address=f"2001:db8:1:2::{n:x}")
            offer(WRONG, email=f"{n}@elsewhere.test", address=f"::ffff:192.0.2.{n}")
        with pytest.raises(TooManyAttempts):
            offer(PASSWORD, address="2001:db8:1:2:ffff::1")
        assert offer(PASSWORD, address="2001:db8:1:3::1") == person
        assert offer(PASSWORD, address="::ffff:192.0.2.77") == person

    def test_the_right_password_does_not_count(self, person: Administrator, hashed: list[str]) -> None:
        for _ in range(12):
            assert offer(PASSWORD) == person
        assert not CountedAttempt.objects.exists()

    def test_they_are_forgotten_after_five_minutes(self, person: Administrator, hashed: list[str]) -> None:
        for _ in range(10):
            offer(WRONG)
        CountedAttempt.objects.update(at=timezone.now() - timedelta(minutes=5, seconds=1))
        assert offer(PASSWORD) == person
        assert not CountedAttempt.objects.exists()

    def test_refused_ones_do_not_prolong_the_pause(self, person: Administrator, hashed: list[str]) -> None:
        for _ in range(10):
            offer(WRONG)
        first = CountedAttempt.objects.count()
        for _ in range(5):
            with pytest.raises(TooManyAttempts):
                offer(WRONG)
        assert CountedAttempt.objects.count() == first

    def test_unknown_and_known_accounts_cost_one_hash_each(self, person: Administrator, hashed: list[str]) -> None:
        assert offer(WRONG, email="nobody@accuhive.test") is None
        unknown = len(hashed)
        assert offer(WRONG) is None
        assert len(hashed) - unknown == unknown == 1

    def test_an_account_is_one_in_any_spelling(self, person: Administrator, hashed: list[str]) -> None:
        for n in range(10):
            offer(WRONG, email=" Person@Accuhive.TEST "[n % 2 :], address=f"192.0.2.{n}")
        with pytest.raises(TooManyAttempts):
            offer(PASSWORD, address="198.51.100.1")

    def test_what_is_counted_names_nobody(self, person: Administrator, hashed: list[str]) -> None:
        offer(WRONG)
        rows = str(list(CountedAttempt.objects.values()))
        assert "person" not in rows
        assert "192.0.2.7" not in rows

    @pytest.mark.parametrize("step", ["_refuse_beyond", "clear"])
    def test_one_that_cannot_be_counted_is_not_looked_at(
        self, person: Administrator, hashed: list[str], monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def lost(*_: object) -> None:
            raise OperationalError("the server closed the connection")

        monkeypatch.setattr(attempts, step, lost)
        with pytest.raises(OperationalError):
            offer(PASSWORD)
        assert hashed == []

    @pytest.mark.slow
    @pytest.mark.django_db(transaction=True)
    def test_thirty_at_one_moment_are_never_more_than_ten(self) -> None:
        start = Barrier(30)

        def attempt() -> bool:
            try:
                start.wait()
                count_attempt(Attempt(Purpose.SIGN_IN, "person@accuhive.test", ""))
            except TooManyAttempts:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(30) as pool:
            admitted = sum(pool.map(lambda _: attempt(), range(30)))
        assert admitted <= 10
        assert CountedAttempt.objects.count() == 2 * admitted

    def test_a_busy_hasher_refuses_and_does_not_count(
        self, person: Administrator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hashing, "HASH_WAIT", 0.05)
        held, release = Event(), Event()

        def hold() -> None:
            with OneAtATimeArgon2._turn:
                held.set()
                release.wait(10)

        thread = Thread(target=hold)
        thread.start()
        held.wait(10)
        try:
            with pytest.raises(TooManyAttempts):
                offer(PASSWORD)
        finally:
            release.set()
            thread.join()
        assert not CountedAttempt.objects.exists()
        assert offer(PASSWORD) == person


@pytest.mark.parametrize("suspended", ["person", "tenant"])
def test_the_suspended_cannot_sign_in(person: Administrator, tenant: Tenant, suspended: str) -> None:
    if suspended == "person":
        Administrator.objects.update(is_active=False)
    else:
        Tenant.objects.update(active=False)
    assert offer(PASSWORD) is None


class TestSessions:
    @pytest.fixture
    def signed_in(self, person: Administrator) -> Client:
        client = Client()
        response = client.post("/sign-in/", {"login": person.email, "password": PASSWORD})
        assert response.status_code == 302
        assert self.works(client)
        return client

    def works(self, client: Client) -> bool:
        return client.get("/access/tokens/").status_code == 200

    def pass_time(self, monkeypatch: pytest.MonkeyPatch, **time: float) -> None:
        now = timezone.now() + timedelta(**time)
        monkeypatch.setattr("django.utils.timezone.now", lambda: now)

    def test_the_database_does_not_know_its_key(self, signed_in: Client) -> None:
        key = signed_in.cookies["session"].value
        assert len(key) == 32
        assert key not in str(list(Session.objects.values()))
        stolen = Client()
        stolen.cookies["session"] = Session.objects.get().session_key
        assert not self.works(stolen)

    def test_signing_in_gives_a_new_one(self, person: Administrator) -> None:
        client, other = Client(), Client()
        planted = client.session  # as somebody else could know it
        planted["theirs"] = True
        planted.save()
        key = str(planted.session_key)
        assert client.cookies["session"].value == key
        client.post("/sign-in/", {"login": person.email, "password": PASSWORD})
        assert client.cookies["session"].value != key
        assert self.works(client)
        other.cookies["session"] = key
        assert not self.works(other)

    def test_signing_out_ends_it(self, signed_in: Client) -> None:
        before = signed_in.cookies["session"].value
        signed_in.post("/sign-out/")
        signed_in.cookies["session"] = before
        assert not self.works(signed_in)

    def test_it_ends_after_an_idle_hour(self, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pass_time(monkeypatch, minutes=59)
        assert self.works(signed_in)
        self.pass_time(monkeypatch, minutes=59)
        assert self.works(signed_in)
        self.pass_time(monkeypatch, minutes=61)
        assert not self.works(signed_in)

    def test_it_ends_after_twelve_hours_however_busy(self, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(14):
            assert self.works(signed_in)
            self.pass_time(monkeypatch, minutes=50)
        assert self.works(signed_in)
        self.pass_time(monkeypatch, minutes=30)
        assert not self.works(signed_in)

    @pytest.mark.parametrize("reason", ["suspended", "tenant", "role", "password", "removed"])
    def test_it_ends_at_once(self, signed_in: Client, person: Administrator, reason: str) -> None:
        match reason:
            case "suspended":
                Administrator.objects.update(is_active=False)
            case "tenant":
                assert person.tenant
                edit_tenant(tenant_id=person.tenant.pk, name="X", active=False, actor=Actor.command("test"))
            case "role":
                Administrator.objects.update(role=Role.OWNER)
            case "password":
                person.set_password("another four words suffice")
                person.save()
            case "removed":
                person.delete()
        assert not self.works(signed_in)

    def test_signing_in_and_out_are_in_the_trail(self, signed_in: Client, person: Administrator) -> None:
        signed_in.post("/sign-out/")
        events = AuditEvent.objects.order_by("sequence").values_list("summary", "actor_id", "metadata")
        address = {"address": "127.0.0.1"}
        assert list(events) == [("Signed in", str(person.id), address), ("Signed out", str(person.id), address)]


def test_a_throttled_sign_in_says_when_to_try_again(person: Administrator, hashed: list[str]) -> None:
    for _ in range(10):
        offer(WRONG, address="127.0.0.1")
    response = Client().post("/sign-in/", {"login": person.email, "password": PASSWORD})
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 301


def test_ten_wrong_passwords_on_the_page_are_answered_and_the_eleventh_is_not(
    person: Administrator, hashed: list[str]
) -> None:
    client = Client()
    statuses = [client.post("/sign-in/", {"login": person.email, "password": WRONG}).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    assert len(hashed) == 10
