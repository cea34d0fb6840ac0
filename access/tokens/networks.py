"""The networks that tokens are used from, and the notice about a new one.

A network is an IPv4 /24 or an IPv6 /48. It is new for a token that was not used from it for 90 days. The first use of a
token is no surprise, and gives no notice.

Each call passes its address here, because the use of a stolen token may come in the same minute as a call of its owner.
Only an address that this process has not seen within the hour is stored: the others cost one look into a dictionary.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_network
from uuid import UUID

from django.db import Error, transaction
from django.utils import timezone

from access.addresses import parse
from access.kinds import TOKEN_NEW_NETWORK
from access.models import ApiToken, TokenNetwork
from access.tasks.backend import task
from access.tokens.notices import notify

FORGOTTEN_AFTER = timedelta(days=90)
REMEMBERED = timedelta(hours=1)
# Uses in one transaction. A new network takes some five statements, and other writers wait for SQLite's lock.
BATCH = 25
MOST_REMEMBERED = 20_000  # pairs of token and address, in one process

type Pair = tuple[UUID, str]

_remembered: dict[Pair, datetime] = {}
_waiting: dict[Pair, datetime] = {}


def track_network(token_id: UUID, address: str, at: datetime) -> None:
    """Remember that a token was used from an address. `flush` stores it."""
    pair = (token_id, address)
    last = _remembered.get(pair)
    if last is not None and at - last < REMEMBERED:
        return
    if len(_remembered) >= MOST_REMEMBERED:
        _remembered.clear()
    _remembered[pair] = at
    _waiting[pair] = at


def flush() -> None:
    """Store the networks, before the last use of their tokens is. Raises django.db.Error; they then wait again."""
    while _waiting:
        batch: dict[Pair, datetime] = {}
        while _waiting and len(batch) < BATCH:
            pair, at = _waiting.popitem()
            batch[pair] = at
        try:
            with transaction.atomic():
                # Always in the order of the tokens, so that two processes cannot deadlock.
                for (token_id, address), at in sorted(batch.items(), key=lambda use: (use[0][0], use[1])):
                    note_network(token_id, address, at)
        except Error:
            for pair, at in batch.items():
                _waiting.setdefault(pair, at)
            raise


def note_network(token_id: UUID, address: str, at: datetime) -> None:
    """Store that a token was used from the network of an address, and notify of a new one.

    Belongs inside a transaction, and before the token's last use is stored: that says whether this is its first one.
    """
    network = network_of(address)
    if network is None:
        return
    found = TokenNetwork.objects.filter(token_id=token_id, network=network)
    fresh = at - FORGOTTEN_AFTER
    if found.filter(last_seen__gt=fresh).update(last_seen=at):
        return
    token = ApiToken.objects.select_related("tenant").filter(id=token_id).first()
    if token is None:
        return
    # Of two processes with the same news, one inserts or updates the row, and it is the one that notifies.
    renewed = found.filter(last_seen__lte=fresh).update(last_seen=at)
    if not renewed:
        _, created = TokenNetwork.objects.get_or_create(
            token_id=token_id, network=network, defaults={"first_seen": at, "last_seen": at}
        )
        if not created:
            return
    if _is_news(token, network, fresh):
        seen = Seen(address, network)
        notify(kind=TOKEN_NEW_NETWORK, token=token, at=at, facts=seen.facts, data=seen.data)


@dataclass(frozen=True, slots=True)
class Seen:
    address: str
    network: str

    @property
    def facts(self) -> dict[str, str]:
        return {"From": f"{self.address} (network {self.network})"}

    @property
    def data(self) -> dict[str, str]:
        return {"address": self.address, "network": self.network}


def network_of(address: str) -> str | None:
    """The IPv4 /24 or the IPv6 /48 of an address; None for text that is no address."""
    parsed = parse(address)
    if parsed is None:
        return None
    return str(ip_network((parsed, 24 if isinstance(parsed, IPv4Address) else 48), strict=False))


@task()
def prune_networks() -> None:
    """Delete the networks that tokens were not used from for 90 days. Harmless when it runs twice."""
    TokenNetwork.objects.filter(last_seen__lt=timezone.now() - FORGOTTEN_AFTER).delete()


def _is_news(token: ApiToken, network: str, fresh: datetime) -> bool:
    """Whether the token was used before, and not from there."""
    if token.last_used_at is None:
        # Another network may have been stored a moment ago, with the use that is still to be written.
        return TokenNetwork.objects.filter(token_id=token.id).exclude(network=network).exists()
    return token.last_used_at <= fresh or network_of(token.last_used_from or "") != network
