"""The networks of tokens: which use of which token is news, and that each is told of once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone

from access.models import ApiToken, OwnerNotice, TokenNetwork
from access.tokens import networks, usage
from access.tokens.networks import network_of, prune_networks
from tests.factories.access import WebhookFactory
from tests.types import Call, IssueToken

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def empty_memory() -> None:
    for memory in (usage._uses, networks._waiting, networks._remembered):
        memory.clear()


def use(token: ApiToken, address: str, at: datetime = NOW) -> None:
    """One call, as the server and its writer see it."""
    token.refresh_from_db()
    usage.track_use(token.id, usage.Call(address), at, last_used_at=token.last_used_at)
    usage.flush()


def news() -> list[str]:
    notices = OwnerNotice.objects.filter(kind="token.new_network").order_by("pk")
    return [str(notice.facts["From"]) for notice in notices]


def test_the_first_use_is_no_news_and_the_next_network_is(issue_token: IssueToken) -> None:
    token = issue_token()
    use(token, "192.0.2.7")
    assert news() == []
    use(token, "198.51.100.7", NOW + DAY)
    assert news() == ["198.51.100.7 (network 198.51.100.0/24)"]
    use(token, "198.51.100.8", NOW + 2 * DAY)
    use(token, "192.0.2.250", NOW + 3 * DAY)
    assert len(news()) == 1


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.255", True),
        ("192.0.2.7", "192.0.3.7", False),
        ("::ffff:192.0.2.7", "192.0.2.8", True),
        ("2001:db8:1::1", "2001:db8:1:ffff::1", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
    ],
)
def test_a_network_is_a_24_or_a_48(issue_token: IssueToken, address: str, other: str, same: bool) -> None:
    token = issue_token()
    use(token, address)
    use(token, other, NOW + DAY)
    assert len(news()) == (0 if same else 1)
    assert network_of("no address") is None


@pytest.mark.parametrize(("days", "is_news"), [(89, False), (91, True)])
def test_a_network_is_forgotten_after_90_days(issue_token: IssueToken, days: int, is_news: bool) -> None:
    token = issue_token()
    use(token, "192.0.2.7", NOW - DAY)
    use(token, "198.51.100.7")
    OwnerNotice.objects.all().delete()
    for day in range(1, days, 30):
        use(token, "192.0.2.7", NOW + day * DAY)
    use(token, "198.51.100.7", NOW + days * DAY)
    assert bool(news()) == is_news


def test_a_token_that_slept_for_90_days_is_news_from_anywhere(issue_token: IssueToken) -> None:
    token = issue_token()
    use(token, "192.0.2.7")
    TokenNetwork.objects.all().delete()  # as the schedule does
    use(token, "192.0.2.7", NOW + 91 * DAY)
    assert len(news()) == 1


def test_a_token_that_was_used_before_this_version_is_no_news_from_its_last_network(issue_token: IssueToken) -> None:
    token = issue_token()
    ApiToken.objects.update(last_used_at=NOW - DAY, last_used_from="192.0.2.7")
    use(token, "192.0.2.9")
    assert news() == []
    ApiToken.objects.update(last_used_at=NOW - DAY, last_used_from="192.0.2.7")
    TokenNetwork.objects.all().delete()
    use(token, "198.51.100.7", NOW + DAY)
    assert len(news()) == 1


def test_a_call_within_the_minute_of_another_is_seen(issue_token: IssueToken) -> None:
    """The use of a stolen token beside those of its owner, which is not stored as the last use."""
    token = issue_token()
    use(token, "192.0.2.7")
    use(token, "203.0.113.7", NOW + timedelta(seconds=1))
    token.refresh_from_db()
    assert token.last_used_from == "192.0.2.7"
    assert len(news()) == 1


def test_two_networks_in_one_second(issue_token: IssueToken) -> None:
    token = issue_token()
    for second, address in enumerate(["192.0.2.7", "203.0.113.7", "192.0.2.7"]):
        usage.track_use(token.id, usage.Call(address), NOW + timedelta(milliseconds=second), last_used_at=None)
    usage.flush()
    assert news() == ["203.0.113.7 (network 203.0.113.0/24)"]


def test_each_process_stores_a_network_and_one_of_them_tells(issue_token: IssueToken) -> None:
    token = issue_token()
    use(token, "192.0.2.7")
    for _ in range(3):
        networks._remembered.clear()
        use(token, "203.0.113.7", NOW + DAY)
    assert len(news()) == 1
    assert TokenNetwork.objects.count() == 2


def test_a_known_address_costs_no_query(issue_token: IssueToken, django_assert_num_queries: object) -> None:
    token = issue_token()
    use(token, "192.0.2.7")
    networks.track_network(token.id, "192.0.2.7", NOW + timedelta(minutes=59))
    assert not networks._waiting
    networks.track_network(token.id, "192.0.2.7", NOW + timedelta(minutes=61))
    networks.flush()
    assert TokenNetwork.objects.get().last_seen == NOW + timedelta(minutes=61)


def test_memory_is_bounded(issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "MOST_REMEMBERED", 10)
    token = issue_token()
    for number in range(25):
        networks.track_network(token.id, f"192.0.2.{number}", NOW)
    assert len(networks._remembered) <= 10


def test_a_database_that_is_away_loses_no_network(issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError

    tokens = [issue_token(), issue_token()]
    for token in tokens:
        networks.track_network(token.id, "192.0.2.7", NOW)
    with monkeypatch.context() as lost:
        lost.setattr(networks, "note_network", fail)
        with pytest.raises(OperationalError):
            networks.flush()
    networks.flush()
    assert TokenNetwork.objects.count() == 2


def test_a_use_of_an_unknown_token_or_address_is_skipped(issue_token: IssueToken) -> None:
    networks.track_network(uuid4(), "192.0.2.7", NOW)
    networks.track_network(issue_token().id, "unix:", NOW)
    networks.flush()
    assert not TokenNetwork.objects.exists()


def test_networks_of_90_days_ago_are_deleted(issue_token: IssueToken) -> None:
    token = issue_token()
    for address, days in (("192.0.2.7", 91), ("198.51.100.7", 89)):
        networks.track_network(token.id, address, timezone.now() - days * DAY)
    networks.flush()
    prune_networks.call()
    assert TokenNetwork.objects.get().network == "198.51.100.0/24"


def test_a_call_to_the_api_is_what_is_watched(issue_token: IssueToken, api: Call) -> None:
    token = issue_token()
    WebhookFactory.create(tenant=token.tenant, kinds=["token.new_network"])
    for address in ("192.0.2.7", "203.0.113.7"):
        assert api("GET", "/api/v1/token", token, REMOTE_ADDR=address).status_code == 200
        usage.flush()
    assert news() == ["203.0.113.7 (network 203.0.113.0/24)"]
    payload = token.tenant.webhooks.get().deliveries.get().payload
    assert '"address":"203.0.113.7","network":"203.0.113.0/24"' in payload
