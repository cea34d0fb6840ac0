"""A rotation: which of two secrets works when, and that one person or one form rotates at a time."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from access.audit.events import Actor
from access.models import ApiToken, AuditEvent, Tenant
from access.tokens import usage
from access.tokens.authentication import AuthenticationFailed, authenticate
from access.tokens.lifecycle import (
    AlreadySubmitted,
    IssuedToken,
    create_token,
    disable_token,
    enable_token,
    revoke_token,
)
from access.tokens.rotation import OVERLAPS, UNTIL_USED, RotationUnderWay, end_overlap, rotate_token
from access.tokens.usage import Call
from tests.database import repeated
from tests.types import IssueToken

ACTOR = Actor.command("test")


def works(secret: str, address: str = "") -> bool:
    try:
        authenticate(f"Bearer {secret}", subdomain="accuhive", call=Call(address))
    except AuthenticationFailed:
        return False
    return True


def rotate(token: ApiToken, overlap: str, **fields: Any) -> IssuedToken:
    return rotate_token(tenant=token.tenant, token_id=token.id, overlap=overlap, actor=ACTOR, **fields)


def end(token: ApiToken) -> None:
    """Let the overlap be over."""
    ApiToken.objects.filter(pk=token.pk).update(previous_until=timezone.now() - timedelta(seconds=1))


def test_without_overlap_the_former_secret_ends_at_once(issue_token: IssueToken) -> None:
    token = issue_token("list_users")
    issued = rotate(token, "none")
    assert works(issued.secret)
    assert uuid.UUID(issued.secret).version == 4
    assert not works(token.secret)
    assert (issued.token.id, issued.token.permissions) == (token.id, ["list_users"])
    event = AuditEvent.objects.latest("sequence")
    assert event.summary == "Token rotated"
    assert issued.secret not in str(event.changes)


@pytest.mark.parametrize("overlap", [key for key in OVERLAPS if key != "none"])
def test_during_an_overlap_both_secrets_work_and_then_one(issue_token: IssueToken, overlap: str) -> None:
    token = issue_token()
    issued = rotate(token, overlap)
    assert issued.token.previous_until
    assert issued.token.previous_until - timezone.now() <= OVERLAPS[overlap]
    assert works(token.secret)
    assert works(issued.secret)
    assert works(token.secret)
    end(token)
    assert not works(token.secret)
    assert works(issued.secret)


def test_an_overlap_until_the_first_use_ends_with_the_first_call(issue_token: IssueToken) -> None:
    token = issue_token()
    issued = rotate(token, UNTIL_USED)
    assert works(token.secret)
    assert works(token.secret)
    assert works(issued.secret)
    assert not works(token.secret)
    assert works(issued.secret)


def test_one_rotation_at_a_time(issue_token: IssueToken) -> None:
    token = issue_token()
    first = rotate(token, "24h")
    with pytest.raises(RotationUnderWay):
        rotate(token, "none")
    assert works(token.secret)
    end_overlap(tenant=token.tenant, token_id=token.id, actor=ACTOR)
    assert not works(token.secret)
    assert works(first.secret)
    second = rotate(token, "1h")
    end(token)
    rotate(token, "none")  # an overlap that is over hinders no further one
    assert not works(second.secret)


def test_the_same_form_rotates_once(issue_token: IssueToken) -> None:
    token, form = issue_token(), uuid.uuid4()
    issued = rotate(token, "none", submission=form)
    with pytest.raises(AlreadySubmitted):
        rotate(token, "none", submission=form)
    assert works(issued.secret)


def test_disabling_and_revoking_end_both_secrets(issue_token: IssueToken, tenant: Tenant) -> None:
    token = issue_token()
    issued = rotate(token, "24h")
    one: dict[str, Any] = {"tenant": tenant, "token_id": token.id, "actor": ACTOR}
    disable_token(**one)
    assert not works(token.secret)
    assert not works(issued.secret)
    enable_token(**one)
    assert works(token.secret)
    assert works(issued.secret)
    revoke_token(**one)
    assert not works(token.secret)
    assert not works(issued.secret)
    with pytest.raises(ApiToken.DoesNotExist):
        enable_token(**one)
    with pytest.raises(ApiToken.DoesNotExist):
        rotate(token, "none")


def test_a_former_secret_moves_to_the_newest_key(issue_token: IssueToken, settings: Any) -> None:
    settings.IRU_TOKEN_KEYS = ["1:" + "1" * 64]
    token = issue_token()
    issued = rotate(token, "24h")
    settings.IRU_TOKEN_KEYS = ["2:" + "2" * 64, "1:" + "1" * 64]
    for secret in (token.secret, issued.secret):
        assert works(secret)
        usage.flush()
    settings.IRU_TOKEN_KEYS = ["2:" + "2" * 64]
    assert works(token.secret)
    assert works(issued.secret)


@pytest.mark.django_db(transaction=True)
def test_of_eight_people_at_once_one_rotates(issue_token: IssueToken) -> None:
    token = issue_token()
    results: list[object] = []
    start = threading.Barrier(8)

    def race() -> None:
        start.wait()
        try:
            results.append(repeated(lambda: rotate(token, "1h").secret))
        except RotationUnderWay:
            results.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    secrets = [each for each in results if each]
    assert (len(results), len(secrets)) == (8, 1)
    assert works(str(secrets[0]))
    assert works(token.secret)


def test_new_and_rotated_secrets_are_under_the_newest_key(tenant: Tenant, settings: Any) -> None:
    settings.IRU_TOKEN_KEYS = ["2:" + "2" * 64, "1:" + "1" * 64]
    token = create_token(tenant=tenant, name="Wall board", actor=ACTOR).token
    assert token.key_number == 2
    rotated = rotate(token, "none")
    assert rotated.token.key_number == 2
    settings.IRU_TOKEN_KEYS = settings.IRU_TOKEN_KEYS[:1]
    assert works(rotated.secret)
