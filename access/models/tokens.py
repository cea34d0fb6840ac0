import uuid
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Count, Func, Q
from django.db.models.functions import Cast
from django.utils import timezone

from access.models.admins import Administrator
from access.models.audit import AuditEvent
from access.models.tenants import Tenant
from access.permissions import Permission, catalogue

EXPIRES_SOON = timedelta(days=14)  # the badge and the filter
TOLD_ON_PAGE, TOLD_ON_LIST = timedelta(days=30), timedelta(days=7)  # the banners, as the first two mails
UNUSED = timedelta(days=90)
USED_LATELY = timedelta(days=30)


class PermissionCount(Func):
    """The number of permissions that a token has."""

    output_field = models.IntegerField()

    def __init__(self) -> None:
        super().__init__("permissions")

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_array_length", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="jsonb_array_length", **context)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def with_people(self) -> "ApiTokenQuerySet":
        """With the rows of the creator and the responsible person."""
        return self.select_related("created_by", "responsible")

    def listed(self) -> "ApiTokenQuerySet":
        """Tokens that are not revoked, newest first, with their people."""
        return self.with_people().filter(revoked_at__isnull=True).order_by("-created_at", "-id")

    def revoked(self) -> "ApiTokenQuerySet":
        """Revoked tokens, the last revoked first, with their people."""
        return self.with_people().filter(revoked_at__isnull=False).order_by("-revoked_at", "-id")

    def in_state(self, state: str) -> "ApiTokenQuerySet":
        """Tokens whose `state` is this one."""
        now = timezone.now()
        revoked, disabled, expired = Q(revoked_at__isnull=False), Q(disabled_at__isnull=False), Q(expires_at__lte=now)
        match state:
            case "revoked":
                return self.filter(revoked)
            case "disabled":
                return self.exclude(revoked).filter(disabled)
            case "expired":
                return self.exclude(revoked | disabled).filter(expired)
        return self.exclude(revoked | disabled).filter(Q(expires_at__isnull=True) | ~expired)

    def ending(self) -> "ApiTokenQuerySet":
        """Active tokens that expire within a week, the next first."""
        now = timezone.now()
        near = self.filter(expires_at__gt=now, expires_at__lte=now + TOLD_ON_LIST, disabled_at=None, revoked_at=None)
        return near.order_by("expires_at", "id")

    def overlapping(self) -> "ApiTokenQuerySet":
        """Tokens whose former secret still works."""
        return self.filter(Q(previous_until=None) | Q(previous_until__gt=timezone.now()), previous_digest__isnull=False)

    def sensitive(self) -> "ApiTokenQuerySet":
        """Tokens with a sensitive permission."""
        names = (permission.codename for permission in catalogue if permission.sensitive)
        # The quotes of the JSON text make a codename whole: none is part of another one.
        texts = [Q(permission_text__contains=f'"{codename}"') for codename in names]
        return self.alias(permission_text=Cast("permissions", models.TextField())).filter(reduce(or_, texts, Q()))

    def search(self, text: str) -> "ApiTokenQuerySet":
        """Tokens whose name or description contains `text`."""
        return self.filter(Q(name__icontains=text) | Q(description__icontains=text)) if text else self

    def unused(self) -> "ApiTokenQuerySet":
        """Tokens without a call for 90 days, or older than that and never used."""
        return self.filter(unused_long())

    def needing_attention(self) -> dict[str, int]:
        """How many tokens have no permissions, are unused, expire soon or have expired. Keys: filter values."""
        return self.order_by().aggregate(
            none=Count("pk", filter=Q(permissions=[])),
            unused=Count("pk", filter=unused_long()),
            soon=Count("pk", filter=expiring_soon()),
            expired=Count("pk", filter=Q(expires_at__lte=timezone.now())),
        )


def unused_long() -> Q:
    since = timezone.now() - UNUSED
    return Q(last_used_at__lt=since) | Q(last_used_at__isnull=True, created_at__lt=since)


def expiring_soon() -> Q:
    now = timezone.now()
    return Q(expires_at__gt=now, expires_at__lt=now + EXPIRES_SOON)


class ApiToken(models.Model):
    """A tenant-level bearer token, found by the keyed digest of its secret. Revoked rows stay for the audit trail."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Without an index of its own, because SQLite prefers that to the wider ones below, which cover the list's queries.
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="api_tokens", db_index=False)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True, max_length=1000, validators=[MaxLengthValidator(1000)])
    digest = models.CharField(max_length=64, unique=True, editable=False)
    key_number = models.PositiveIntegerField(editable=False, help_text="Which of IRU_TOKEN_KEYS made the digest.")
    # The secret before the last rotation, while it still works: until `previous_until`, or without one until the first
    # call with the new secret.
    previous_digest = models.CharField(max_length=64, unique=True, null=True, editable=False)
    previous_key_number = models.PositiveIntegerField(null=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    # One for each opened form, as `submission`: the same form posted twice rotates once.
    rotation = models.UUIDField(unique=True, null=True, editable=False)
    permissions = models.JSONField(default=list, help_text="Codenames of the catalogue.")
    networks = models.JSONField(default=list, blank=True, help_text="Networks that calls may come from; empty for all.")
    mcp = models.BooleanField("MCP", default=False, help_text="Whether AI assistants may use it through MCP.")
    mcp_sensitive = models.BooleanField(
        "sensitive MCP tools", default=False, help_text="Whether MCP offers the sensitive operations of the token."
    )
    # Counts edits, so that the second of two people saving at once gets a conflict.
    version = models.PositiveIntegerField(default=1)
    # One for each opened form: the same form posted twice makes one token.
    submission = models.UUIDField(unique=True, null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        Administrator,
        on_delete=models.SET_NULL,
        null=True,
        related_name="created_tokens",
        editable=False,
    )
    created_by_name = models.CharField(max_length=310, editable=False)  # outlives the person
    created_by_type = models.CharField(max_length=20, choices=AuditEvent.ActorType.choices, editable=False)
    # The person to ask about it once its creator has left.
    responsible = models.ForeignKey(
        Administrator, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    # The last reminder of this expiry, as the number of days before it.
    reminded_days = models.PositiveSmallIntegerField(null=True, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Learn mode: calls that are refused for a missing permission between these moments are suggestions of the editor.
    learning_from = models.DateTimeField(null=True, editable=False)
    learning_until = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(null=True, blank=True, editable=False)
    last_used_by = models.CharField("user agent", max_length=200, blank=True, editable=False)
    last_used_for = models.CharField("operation", max_length=100, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        indexes = [
            # Each has `revoked_at` as a field, not as a condition: SQLite would read the table for it.
            models.Index(fields=["tenant", "revoked_at", "-created_at", "-id"], name="token_list"),
            models.Index(fields=["tenant", "revoked_at", "created_by_name"], name="token_creator"),
            models.Index(fields=["tenant", "revoked_at", "expires_at"], name="token_expiry"),
            models.Index(
                fields=["tenant", "-revoked_at", "-id"],
                name="token_revoked",
                condition=Q(revoked_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def granted(self) -> list[Permission]:
        """Its permissions that exist in this version, in catalogue order."""
        return catalogue.known(self.permissions)

    @property
    def granted_count(self) -> int:
        return sum(codename in catalogue for codename in self.permissions)

    @property
    def creator_removed(self) -> bool:
        return self.created_by_id is None and self.created_by_type == AuditEvent.ActorType.USER

    @property
    def live(self) -> bool:
        """Whether calls with its secret are accepted, as far as the token decides it."""
        return self.state == "active"

    @property
    def state(self) -> str:
        """`active`, or the first reason for which calls are refused: `revoked`, `disabled` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.disabled_at is not None:
            return "disabled"
        return "expired" if self.expired else "active"

    @property
    def overlaps(self) -> bool:
        """Whether the secret before the last rotation still works."""
        return self.previous_digest is not None and (
            self.previous_until is None or self.previous_until > timezone.now()
        )

    @property
    def used_lately(self) -> bool:
        """Whether it was used within the last 30 days."""
        return self.last_used_at is not None and timezone.now() - self.last_used_at < USED_LATELY

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def expires_soon(self) -> bool:
        return self.expires_at is not None and not self.expired and self.expires_at - timezone.now() < EXPIRES_SOON

    @property
    def nears_its_end(self) -> bool:
        """Whether it expires within 30 days."""
        return self.expires_at is not None and not self.expired and self.expires_at - timezone.now() <= TOLD_ON_PAGE

    @property
    def unused_long(self) -> bool:
        last: datetime = self.last_used_at or self.created_at
        return timezone.now() - last > UNUSED
