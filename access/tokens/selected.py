"""Changes of several tokens at once. All of them are changed, or none."""

from collections.abc import Callable, Iterable
from uuid import UUID

from django.db import transaction

from access.audit.events import Actor
from access.models import ApiToken, Tenant
from access.tokens.lifecycle import disable_locked, revoke_locked

MOST = 1000  # other changes of the tenant wait while these are stored


def disable_tokens(*, tenant: Tenant, token_ids: Iterable[UUID], actor: Actor) -> int:
    """Disable these tokens, as `disable_token` does; the number of those that were enabled."""
    return _change(tenant, token_ids, actor, disable_locked)


def revoke_tokens(*, tenant: Tenant, token_ids: Iterable[UUID], actor: Actor) -> int:
    """Revoke these tokens, as `revoke_token` does; the number of those that were not revoked."""
    return _change(tenant, token_ids, actor, revoke_locked)


@transaction.atomic
def _change(tenant: Tenant, token_ids: Iterable[UUID], actor: Actor, change: Callable[[ApiToken, Actor], bool]) -> int:
    ids = list(token_ids)
    if len(ids) > MOST:
        raise ValueError(f"At most {MOST} tokens at once.")
    # All rows are locked before the first event, and in one order: no two such changes wait for each other.
    locked = tenant.api_tokens.select_for_update().filter(pk__in=ids, revoked_at__isnull=True).order_by("pk")
    return sum(change(token, actor) for token in list(locked))
