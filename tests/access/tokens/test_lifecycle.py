import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from access.audit.events import Actor
from access.models import Administrator, ApiToken, AuditEvent, AuditHead, Tenant
from access.people.tenants import set_token_rule
from access.tokens import lifecycle as tokens
from access.tokens.authentication import AuthenticationFailed, authenticate
from access.tokens.lifecycle import (
    AlreadySubmitted,
    EditConflict,
    create_token,
    edit_token,
    revoke_token,
    set_permissions,
)
from tests.database import repeated
from tests.types import IssueToken


def test_a_new_token_opens_the_api_and_only_its_digest_is_stored(owner: Administrator) -> None:
    assert owner.tenant
    issued = create_token(tenant=owner.tenant, name=" Wall board ", permissions=["list_devices"], actor=Actor.of(owner))

    live = authenticate(f"Bearer {issued.secret}", subdomain="accuhive")
    assert (live.id, live.name, live.permissions) == (issued.token.id, "Wall board", {"list_devices"})
    assert uuid.UUID(issued.secret).version == 4
    assert issued.secret not in repr(issued)
    row = ApiToken.objects.filter(id=issued.token.id).values().get()
    assert issued.secret not in str(row)
    assert issued.secret.replace("-", "") not in str(row)
    event = AuditEvent.objects.get()
    assert (event.summary, event.actor_id, event.target_id) == ("Token created", str(owner.id), str(issued.token.id))
    assert issued.secret not in str(AuditEvent.objects.values().get())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"description": "x" * 1001}, "description"),
        ({"permissions": ["list_devices", "no_such_thing"]}, "permissions"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
    ],
    ids=["no-name", "long-name", "long-description", "unknown-permission", "past-expiry"],
)
def test_invalid_input_names_its_field_and_changes_nothing(
    tenant: Tenant, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        create_token(**{"tenant": tenant, "name": "Good", "actor": Actor.command("test"), **fields})  # type: ignore[arg-type]

    assert list(caught.value.message_dict) == [field]
    assert not ApiToken.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("column", ["digest", "previous_digest"])
def test_the_database_refuses_a_second_token_with_one_digest(issue_token: IssueToken, column: str) -> None:
    first, second = issue_token(), issue_token()
    ApiToken.objects.filter(id=first.id).update(**{column: first.digest})
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.filter(id=second.id).update(**{column: first.digest})
    second.refresh_from_db()
    assert getattr(second, column) != first.digest


@pytest.mark.django_db(transaction=True)
def test_twenty_posts_of_one_form_make_one_token(tenant: Tenant) -> None:
    submission = uuid.uuid4()
    start = Barrier(20)

    def post() -> uuid.UUID | None:
        try:
            start.wait()
            actor = Actor.command("test")
            repeated(lambda: create_token(tenant=tenant, name="Once", submission=submission, actor=actor))
        except AlreadySubmitted as earlier:
            return earlier.token.id
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(), range(20)))

    token = ApiToken.objects.get()
    assert answers.count(None) == 1
    assert answers.count(token.id) == 19
    assert AuditEvent.objects.count() == 1


def test_another_tenants_submission_is_not_answered_with_its_token(tenant: Tenant, other_tenant: Tenant) -> None:
    submission = uuid.uuid4()
    create_token(tenant=other_tenant, name="Theirs", submission=submission, actor=Actor.command("test"))

    with pytest.raises(ValidationError, match="used before") as caught:
        create_token(tenant=tenant, name="Ours", submission=submission, actor=Actor.command("test"))
    assert not isinstance(caught.value, AlreadySubmitted)


def test_the_event_of_a_rename_has_the_old_and_the_new_name(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token(name="Old", description="Same")
    edit_token(
        tenant=tenant,
        token_id=token.id,
        name="New",
        description="Same",
        expires_at=None,
        networks=(),
        version=1,
        actor=Actor.command("test"),
    )

    event = AuditEvent.objects.latest("sequence")
    assert event.summary == "Token name changed"
    assert event.changes == {"name": {"old": "Old", "new": "New"}}
    assert authenticate(f"Bearer {token.secret}", subdomain=None).name == "New"


def test_saving_without_a_change_writes_no_event(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token("list_devices", name="Same")
    before = AuditEvent.objects.count()

    edit_token(
        tenant=tenant,
        token_id=token.id,
        name="Same",
        description="",
        expires_at=None,
        networks=(),
        version=1,
        actor=Actor.command("test"),
    )
    set_permissions(
        tenant=tenant, token_id=token.id, permissions=["list_devices"], version=1, actor=Actor.command("test")
    )

    token.refresh_from_db()
    assert token.version == 1
    assert AuditEvent.objects.count() == before


def test_permissions_count_from_the_commit_on(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token("list_devices", "get_device")
    set_permissions(
        tenant=tenant,
        token_id=token.id,
        permissions=["list_users", "get_device", "get_device"],
        version=1,
        actor=Actor.command("test"),
    )

    live = authenticate(f"Bearer {token.secret}", subdomain=None)
    assert live.permissions == {"get_device", "list_users"}
    changes = AuditEvent.objects.latest("sequence").changes["permissions"]
    assert (changes["added"], changes["removed"]) == (["list_users"], ["list_devices"])


def test_the_second_of_two_editors_gets_a_conflict(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token("list_devices")
    first = ["get_device"]
    set_permissions(tenant=tenant, token_id=token.id, permissions=first, version=1, actor=Actor.command("test"))

    with pytest.raises(EditConflict) as caught:
        set_permissions(
            tenant=tenant, token_id=token.id, permissions=["list_users"], version=1, actor=Actor.command("test")
        )

    assert caught.value.current.permissions == first
    token.refresh_from_db()
    assert (token.permissions, token.version) == (first, 2)


EDITS: dict[str, Callable[..., ApiToken]] = {
    "name": lambda **one: edit_token(**one, name=f"Name {uuid.uuid4()}", description="", expires_at=None, networks=()),
    "description": lambda **one: edit_token(
        **one, name="Okta", description=f"Text {uuid.uuid4()}", expires_at=None, networks=()
    ),
    "permissions": lambda **one: set_permissions(**one, permissions=["get_device"]),
}


@pytest.mark.parametrize("second", EDITS)
@pytest.mark.parametrize("first", EDITS)
def test_one_version_guards_all_that_editors_change(
    tenant: Tenant, issue_token: IssueToken, first: str, second: str
) -> None:
    token = issue_token(name="Okta")
    one: dict[str, Any] = {"tenant": tenant, "token_id": token.id, "version": 1, "actor": Actor.command("test")}
    EDITS[first](**one)
    saved = ApiToken.objects.values().get()

    with pytest.raises(EditConflict) as caught:
        EDITS[second](**one)
    assert caught.value.current.version == 2
    assert ApiToken.objects.values().get() == saved


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.django_db(transaction=True)
def test_of_eight_editors_at_once_one_saves(tenant: Tenant, issue_token: IssueToken, edit: str) -> None:
    token = issue_token(name="Okta")
    start = Barrier(8)

    def work(_: int) -> ApiToken | EditConflict:
        try:
            start.wait()
            one = {"tenant": tenant, "token_id": token.id, "version": 1, "actor": Actor.command("test")}
            return repeated(lambda: EDITS[edit](**one))
        except EditConflict as conflict:
            return conflict
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))

    (saved,) = [answer for answer in answers if isinstance(answer, ApiToken)]
    token.refresh_from_db()
    assert (token.version, token.name, token.permissions) == (2, saved.name, saved.permissions)
    assert tenant.audit_events.filter(action=AuditEvent.Action.UPDATE).count() == 1


def test_revoking_is_for_good(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token(name="Gone")
    revoke_token(tenant=tenant, token_id=token.id, actor=Actor.command("test"))

    assert AuditEvent.objects.latest("sequence").summary == "Token revoked"
    assert list(tenant.api_tokens.listed()) == []
    for again in (
        lambda: revoke_token(tenant=tenant, token_id=token.id, actor=Actor.command("test")),
        lambda: edit_token(
            tenant=tenant,
            token_id=token.id,
            name="X",
            description="",
            expires_at=None,
            networks=(),
            version=1,
            actor=Actor.command("test"),
        ),
        lambda: set_permissions(
            tenant=tenant, token_id=token.id, permissions=[], version=1, actor=Actor.command("test")
        ),
    ):
        with pytest.raises(ApiToken.DoesNotExist):
            again()


def test_another_tenants_token_is_unknown(other_tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token()
    with pytest.raises(ApiToken.DoesNotExist):
        revoke_token(tenant=other_tenant, token_id=token.id, actor=Actor.command("test"))
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.parametrize("change", ["create", "edit", "permissions", "revoke"])
@pytest.mark.django_db(transaction=True)
def test_without_its_audit_event_no_change_is_committed(
    tenant: Tenant, issue_token: IssueToken, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issue_token("list_devices", name="Before")
    before = list(ApiToken.objects.values())

    def fail(**event: object) -> None:
        raise RuntimeError("the trail cannot be written")

    monkeypatch.setattr(tokens, "log_event", fail)
    actor = Actor.command("test")
    one: dict[str, Any] = {"tenant": tenant, "token_id": token.id, "actor": actor}
    changes: dict[str, Callable[[], object]] = {
        "create": lambda: create_token(tenant=tenant, name="Another", actor=actor),
        "edit": lambda: edit_token(**one, name="After", description="", expires_at=None, networks=(), version=1),
        "permissions": lambda: set_permissions(**one, permissions=[], version=1),
        "revoke": lambda: revoke_token(**one),
    }
    with pytest.raises(RuntimeError, match="the trail"):
        changes[change]()

    assert list(ApiToken.objects.values()) == before


def test_a_change_whose_event_the_database_refuses_is_not_committed(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token(name="Before")
    AuditHead.objects.filter(tenant=tenant).update(sequence=0)  # the next event would have a number that is taken
    one: dict[str, Any] = {"tenant": tenant, "token_id": token.id, "actor": Actor.command("test")}
    with pytest.raises(DatabaseError):
        edit_token(**one, name="After", description="", expires_at=None, networks=(), version=1)
    token.refresh_from_db()
    assert token.name == "Before"


class TestExpiry:
    def expire(self, token: ApiToken, expires_at: datetime | None) -> ApiToken:
        return edit_token(
            tenant=token.tenant,
            token_id=token.id,
            name=token.name,
            description=token.description,
            expires_at=expires_at,
            networks=token.networks,
            version=token.version,
            actor=Actor.command("test"),
        )

    def test_an_edit_sets_moves_and_removes_it(self, issue_token: IssueToken) -> None:
        token: ApiToken = issue_token()
        later = timezone.now() + timedelta(days=30)
        token = self.expire(token, later)
        event = AuditEvent.objects.latest("sequence")
        assert event.summary == "Token expiry changed"
        assert event.changes == {"expires_at": {"old": None, "new": later.isoformat()}}
        assert self.expire(token, None).expires_at is None

    def test_an_expired_token_works_again_with_a_later_one(self, issue_token: IssueToken) -> None:
        token = issue_token(expired=True)
        with pytest.raises(AuthenticationFailed):
            authenticate(f"Bearer {token.secret}", subdomain="accuhive")
        self.expire(token, timezone.now() + timedelta(days=1))
        assert authenticate(f"Bearer {token.secret}", subdomain="accuhive").id == token.id

    def test_the_past_is_refused(self, issue_token: IssueToken) -> None:
        with pytest.raises(ValidationError, match="in the future"):
            self.expire(issue_token(), timezone.now() - timedelta(seconds=1))

    def test_a_rule_of_the_tenant_binds_new_and_edited_tokens(self, issue_token: IssueToken, tenant: Tenant) -> None:
        token, actor = issue_token(), Actor.command("test")
        set_token_rule(tenant=tenant, longest_token_days=30, actor=actor)
        for expires_at in (None, timezone.now() + timedelta(days=32)):
            with pytest.raises(ValidationError, match="within 30 days"):
                create_token(tenant=tenant, name="New", expires_at=expires_at, actor=actor)
        with pytest.raises(ValidationError, match="within 30 days"):
            self.expire(token, timezone.now() + timedelta(days=32))
        allowed = timezone.now() + timedelta(days=30)
        assert create_token(tenant=tenant, name="New", expires_at=allowed, actor=actor).token.expires_at == allowed
        assert self.expire(token, allowed).expires_at == allowed


def test_mcp_is_switched_and_each_change_has_its_event(tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token(name="Same")

    def edit(version: int, **switches: bool) -> tuple[bool, bool]:
        edit_token(
            tenant=tenant,
            token_id=token.id,
            name="Same",
            description="",
            expires_at=None,
            networks=(),
            version=version,
            actor=Actor.command("test"),
            **switches,
        )
        live = authenticate(f"Bearer {token.secret}", subdomain=None)
        return live.mcp, live.mcp_sensitive

    assert edit(1, mcp=False, mcp_sensitive=True) == (False, False)  # alone it means nothing, and changes nothing
    assert edit(1, mcp=True, mcp_sensitive=True) == (True, True)
    event = AuditEvent.objects.latest("sequence")
    assert event.summary == "Token MCP changed"
    assert event.changes == {name: {"old": False, "new": True} for name in ("mcp", "mcp_sensitive")}
    assert edit(2) == (True, True)  # a caller that does not speak of it leaves it
    assert edit(2, mcp=True) == (True, False)
    assert edit(3, mcp=False, mcp_sensitive=True) == (False, False)
    assert AuditEvent.objects.latest("sequence").changes == {"mcp": {"old": True, "new": False}}
