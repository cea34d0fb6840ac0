"""The replica of DATABASE_REPLICA_URL: for long reads that decide nothing, each of which asks for it by name.

A replica is late. Tokens, sessions, roles, permissions and secrets are never read from it: a token that was revoked a
moment ago would still work there.
"""

import logging
import time

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections

from access.database import limited_waits
from access.models import AuditHead, Tenant

REPLICA = "replica"  # the alias of the database of DATABASE_REPLICA_URL
WAITS = 1.0  # seconds that the replica has to say how far it is
PAUSE = 5.0  # seconds in which it is not asked after it did not answer

logger = logging.getLogger(__name__)

_asked_again_at = 0.0


def replica_for(tenant: Tenant) -> str:
    """The alias of the database for a long read about the tenant: the replica's, where it is no older than this call.

    It has every change of the tenant that was acknowledged before, so that people find what they just did. Otherwise,
    and where the replica is away or none is set, the primary's alias.
    """
    if REPLICA not in settings.DATABASES or time.monotonic() < _asked_again_at:
        return DEFAULT_DB_ALIAS
    # Each change adds an event in its own transaction, and a replica repeats transactions in the order of commits.
    head = AuditHead.objects.filter(tenant=tenant).values_list("sequence", flat=True)
    last = head.get()
    try:
        return REPLICA if _copied(tenant) >= last else DEFAULT_DB_ALIAS
    except Error as error:
        _leave(error)
        return DEFAULT_DB_ALIAS


def _copied(tenant: Tenant) -> int:
    """The number of the tenant's last event on the replica."""
    with limited_waits(WAITS, alias=REPLICA):
        return AuditHead.objects.using(REPLICA).filter(tenant=tenant).values_list("sequence", flat=True).first() or 0


def _leave(error: Error) -> None:
    global _asked_again_at  # noqa: PLW0603 - one moment a process, written by any thread
    _asked_again_at = time.monotonic() + PAUSE
    connections[REPLICA].close()
    logger.warning("The replica did not answer; the primary is read for %d seconds: %s", PAUSE, error)
