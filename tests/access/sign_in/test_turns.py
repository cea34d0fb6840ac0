"""Who may have a password checked, of many clients at the same moment."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from access.models import CountedAttempt, Tenant
from access.sign_in import throttle
from access.sign_in.attempts import Attempt, Purpose, TooManyAttempts
from access.sign_in.hashing import OneAtATimeArgon2
from access.sign_in.throttle import ATTEMPTS, count_attempt
from access.sign_in.turns import Turns
from tests.factories.access import AdministratorFactory

PASSWORD = "four unrelated words suffice"
OFFICE, HOTEL, HOME = "192.0.2.1", "198.51.100.1", "203.0.113.1"


class Client:
    """A client that asks for a turn, and has it until `end()`. `granted` waits for the answer."""

    def __init__(self, pool: ThreadPoolExecutor, turns: Turns, network: str) -> None:
        self.answer: Future[bool] = Future()
        self._end = Event()
        self.thread = pool.submit(self._ask, turns, network)

    def _ask(self, turns: Turns, network: str) -> None:
        with turns.turn(network) as granted:
            self.answer.set_result(granted)
            self._end.wait(30)

    @property
    def granted(self) -> bool:
        return self.answer.result(30)

    def end(self) -> None:
        self._end.set()
        self.thread.result(30)


type Ask = Callable[..., Client]


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """The turns of this process, with a wait that no busy machine ends."""
    monkeypatch.setattr("access.sign_in.turns.LONGEST_WAIT", 30)
    monkeypatch.setattr(throttle, "turns", turns := Turns())
    return turns


@pytest.fixture
def ask(turns: Turns) -> Iterator[Ask]:
    """`ask(OFFICE, waits=True)`: a client of that network that has its turn, or waits for it."""
    clients: list[Client] = []

    def ask(network: str, *, waits: bool = False) -> Client:
        clients.append(client := Client(pool, turns, network))
        if waits:
            while turns._waiting is None or turns._waiting.network != network:
                assert not client.answer.done(), "it did not wait"
                time.sleep(0.005)
        else:
            client.answer.result(30)
        return client

    with ThreadPoolExecutor(8) as pool:
        yield ask
        for client in clients:
            client._end.set()


def test_one_has_the_turn_one_waits_and_a_third_is_refused(ask: Ask) -> None:
    first, second, third = ask(OFFICE), ask(HOTEL, waits=True), ask(HOME)
    assert (first.granted, third.granted, second.answer.done()) == (True, False, False)
    first.end()
    assert second.granted
    second.end()
    assert ask(HOME).granted


def test_a_network_with_both_places_gives_one_up_to_another(ask: Ask) -> None:
    first, second = ask(OFFICE), ask(OFFICE, waits=True)
    assert not ask(OFFICE).granted  # its own third gets none
    other = ask(HOTEL, waits=True)
    assert not second.granted
    first.end()
    assert other.granted


def test_nobody_waits_for_ever(turns: Turns, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(OFFICE)
    monkeypatch.setattr("access.sign_in.turns.LONGEST_WAIT", 0.01)
    assert not ask(HOTEL).granted
    first.end()
    assert ask(HOTEL).granted


def test_a_turn_is_waited_for_half_a_second() -> None:
    turns = Turns()
    with turns.turn(OFFICE):
        start = time.monotonic()
        with turns.turn(HOTEL) as granted:
            assert not granted
    assert 0.4 < time.monotonic() - start < 3


def test_the_hasher_is_waited_for_half_a_second() -> None:
    with OneAtATimeArgon2._turn:
        start = time.monotonic()
        with pytest.raises(TooManyAttempts) as refused:
            OneAtATimeArgon2().encode(PASSWORD, "a salt of its own")
    assert 0.4 < time.monotonic() - start < 3
    assert refused.value.retry_after == 1


@pytest.mark.django_db
class TestSignIn:
    @pytest.fixture(autouse=True)
    def cheap(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        AdministratorFactory.create(tenant=tenant, email="person@accuhive.test", password=PASSWORD)
        monkeypatch.setattr(OneAtATimeArgon2, "verify", lambda self, password, encoded: password == PASSWORD)

    def offer(self, address: str) -> Any:
        request = RequestFactory().post("/", REMOTE_ADDR=address)
        return authenticate(request, email="person@accuhive.test", password=PASSWORD)

    def test_an_address_that_is_refused_by_its_count_takes_no_place_of_others(self, turns: Turns, ask: Ask) -> None:
        for n in range(ATTEMPTS):
            count_attempt(Attempt(Purpose.SIGN_IN, f"{n}@accuhive.test", OFFICE))
        taken: list[str] = []

        @contextmanager
        def turn(network: str) -> Iterator[bool]:
            taken.append(network)
            yield True

        turns.turn = turn  # type: ignore[method-assign]
        with pytest.raises(TooManyAttempts) as refused:
            self.offer(OFFICE)
        assert refused.value.retry_after > 60
        assert taken == []

    def test_a_crowd_is_refused_before_anything_is_written(self, ask: Ask) -> None:
        first, _ = ask(HOTEL), ask(HOME, waits=True)
        with CaptureQueriesContext(connection) as queries, pytest.raises(TooManyAttempts):
            self.offer(OFFICE)
        assert all(query["sql"].startswith("SELECT") for query in queries)
        assert not CountedAttempt.objects.exists()
        first.end()
