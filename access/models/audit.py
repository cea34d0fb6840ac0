from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from access.models.tenants import Tenant

# So many numbers at most are between the places of an event by its number and by its time. The clocks of two servers
# differ a little, so an event may have an earlier time than the one before it.
NEAR = 1000


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def about(self, target_type: str, target_id: object) -> "AuditEventQuerySet":
        """Events of one object, newest first."""
        return self.filter(target_type=target_type, target_id=str(target_id)).order_by("-sequence")

    def between(self, first: datetime | None, last: datetime | None) -> "AuditEventQuerySet":
        """Events from `first` on and before `last`; None for no limit. Asks for the event at each limit.

        Numbers rise with the times, so a range of times is a range of numbers, which every index here is sorted by.
        """
        events = self
        if first is not None:
            start = self._first_number(occurred_at__gte=first)
            events = events.none() if start is None else events.filter(sequence__gte=start)
        if last is not None:
            end = self._last_number(occurred_at__lt=last)
            events = events.none() if end is None else events.filter(sequence__lte=end)
        return events

    def within(self, first: datetime | None, last: datetime | None) -> "AuditEventQuerySet":
        """Events from `first` to `last`, both included; None for no limit. Asks for the event at each limit.

        As in `between`, the numbers lead to the events. Each time is compared as well: an integration that asks for
        what came since its last call must miss none, and the clocks of two servers are not quite the same.
        """
        events = self
        if first is not None:
            start = self._first_number(occurred_at__gte=first)
            events = events.none() if start is None else events.filter(sequence__gte=start - NEAR)
            events = events.filter(occurred_at__gte=first)
        if last is not None:
            end = self._last_number(occurred_at__lte=last)
            events = events.none() if end is None else events.filter(sequence__lte=end + NEAR)
            events = events.filter(occurred_at__lte=last)
        return events

    def _first_number(self, **limit: datetime) -> int | None:
        """The number of the first of these events by their times; None if there are none."""
        return self.filter(**limit).order_by("occurred_at", "sequence").values_list("sequence", flat=True).first()

    def _last_number(self, **limit: datetime) -> int | None:
        """The number of the last of these events by their times; None if there are none."""
        return self.filter(**limit).order_by("-occurred_at", "-sequence").values_list("sequence", flat=True).first()


class AuditEvent(models.Model):
    """One change, or one reading of a secret, and its author. The database refuses to change rows, and to delete those
    that no anchor covers.

    Actor and target are stored by id and by name, so that an event stays readable after both are deleted.
    """

    class Action(models.TextChoices):
        CREATE = "create"
        UPDATE = "update"
        DELETE = "delete"
        READ = "read"

    class ActorType(models.TextChoices):
        USER = "user", "Administrator"
        API_TOKEN = "api_token", "API token"
        OPERATOR = "operator", "Operator"
        SYSTEM = "system", "System"

    ulid = models.CharField(max_length=26, unique=True)
    # Without a tenant it is in the trail of the installation, which holds what operators do to themselves.
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, related_name="audit_events")
    sequence = models.PositiveBigIntegerField(help_text="Counts the events of the trail without a gap.")
    occurred_at = models.DateTimeField()
    action = models.CharField(max_length=10, choices=Action.choices)
    summary = models.CharField(max_length=100, help_text="What happened, as people read it.")
    actor_type = models.CharField(max_length=20, choices=ActorType.choices)
    actor_id = models.CharField(max_length=36, blank=True)
    actor_name = models.CharField(max_length=310)
    target_type = models.CharField(max_length=30)
    target_id = models.CharField(max_length=36)
    target_name = models.CharField(max_length=310)
    target_component = models.CharField(max_length=30, blank=True)
    changes = models.JSONField(default=dict, help_text="{field: {old, new}}")
    new_state = models.JSONField(null=True)
    metadata = models.JSONField(null=True)
    mac = models.CharField(
        max_length=64,
        help_text="Authenticates this row and, through it, all before it.",
    )
    # Without a number it is key 1: all events from a time when there was one key.
    key_number = models.PositiveIntegerField(
        null=True, editable=False, help_text="Which of IRU_AUDIT_KEYS made the MAC."
    )

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="audit_sequence"),
            models.UniqueConstraint(
                fields=["sequence"], condition=Q(tenant__isnull=True), name="audit_installation_sequence"
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "target_type", "target_id", "-sequence"],
                name="audit_target",
            ),
            models.Index(fields=["tenant", "-occurred_at", "-sequence"], name="audit_newest"),
            # For the filters of the page Activity, newest first. A text is looked for in the last index alone.
            models.Index(fields=["tenant", "action", "-sequence"], name="audit_action"),
            models.Index(fields=["tenant", "target_type", "-sequence"], name="audit_type"),
            models.Index(fields=["tenant", "actor_type", "-sequence"], name="audit_actor"),
            models.Index(fields=["tenant", "-sequence", "actor_name", "target_name"], name="audit_names"),
        ]

    def __str__(self) -> str:
        return f"{self.summary}: {self.target_name}"


class AuditHead(models.Model):
    """End of a tenant's chain, or of the installation's. Locked while an event is added, so that sequence numbers have
    no gaps or duplicates."""

    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, null=True, related_name="audit_head")
    sequence = models.PositiveBigIntegerField(default=0)
    mac = models.CharField(max_length=64, blank=True)
    key_number = models.PositiveIntegerField(null=True, editable=False, help_text="That of the last event.")

    class Meta:
        constraints = [
            # Two rows without a tenant are not equal to the database, and the installation has one head.
            models.UniqueConstraint(
                Coalesce("tenant", 0, output_field=models.BigIntegerField()), name="audit_one_installation_head"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} at {self.sequence}"


class AuditAnchor(models.Model):
    """Says that the first events of a trail were removed, and how its chain goes on. Signed under an audit key.

    A transaction that removes events adds an anchor, which the database requires. Each anchor continues the one before
    it. The database refuses to change or delete anchors.
    """

    # Without a constraint in the database: the anchors of a deleted tenant stay, as proof of how its trail ended.
    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="audit_anchors"
    )
    after = models.PositiveBigIntegerField(help_text="The last event that the anchor before it covers.")
    sequence = models.PositiveBigIntegerField(help_text="The last event that was removed.")
    mac = models.CharField(max_length=64, help_text="That of the last event.")
    event_key_number = models.PositiveIntegerField(help_text="Which of IRU_AUDIT_KEYS made that MAC.")
    oldest_at = models.DateTimeField(help_text="When the first of these events happened.")
    newest_at = models.DateTimeField(help_text="When the last of them happened.")
    made_at = models.DateTimeField()
    key_number = models.PositiveIntegerField(help_text="Which of IRU_AUDIT_KEYS signed it.")
    signature = models.CharField(max_length=64, help_text="Over this row and the signature before it.")

    class Meta:
        constraints = [
            # Of two purges of the same trail at once, one fails, so that the anchors stay one chain.
            models.UniqueConstraint(fields=["tenant", "after"], name="audit_anchor_after"),
            models.UniqueConstraint(
                fields=["after"], condition=Q(tenant__isnull=True), name="audit_anchor_installation_after"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "sequence"], name="audit_anchor_sequence")]

    def __str__(self) -> str:
        return f"{self.tenant_id} behind {self.sequence}"
