import uuid
from typing import ClassVar, NamedTuple

from django.db import models
from django.db.models import Q

from access.models import Tenant
from devices.models.devices import Device


class Order(NamedTuple):
    """A command that a device is to get from the server: its id, and its subject."""

    command: str
    subject: str = ""


class DeviceCommandQuerySet(models.QuerySet["DeviceCommand"]):
    def unfinished(self) -> "DeviceCommandQuerySet":
        """Commands that the device has not completed or refused yet, without those that an import brought."""
        return self.filter(status__in=DeviceCommand.UNFINISHED).exclude(command="")

    def newest_first(self) -> "DeviceCommandQuerySet":
        """The newest request first; imported commands are among them."""
        return self.order_by("-date_requested", "-id")


class DeviceCommand(models.Model):
    """A command to a device, waiting in its queue or finished. It has no secrets: those are `DeviceSecret` rows."""

    class Status(models.IntegerChoices):
        PENDING = 1
        RUNNING = 2
        COMPLETED = 3
        FAILED = 4
        NOT_NOW = 5
        CANCELLED = 6  # before the device had it; the public API has no such status

    UNFINISHED: ClassVar[tuple[int, ...]] = (Status.PENDING, Status.RUNNING, Status.NOT_NOW)

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="device_commands")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="commands")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    command = models.CharField(
        max_length=40,
        blank=True,
        help_text="Operation id of the command, such as lock_device. Empty for one that an import brought: it is "
        "history, and never sent from here.",
    )
    subject = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="What the command is about, if a device may have several of them waiting.",
    )
    command_type = models.CharField(max_length=60)
    request_type = models.CharField(max_length=60, help_text="Apple's RequestType, or its counterpart elsewhere.")
    payload = models.JSONField(default=dict, help_text="What is sent, without secrets.")
    metadata = models.JSONField(default=dict)
    status = models.PositiveSmallIntegerField(choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    priority = models.PositiveSmallIntegerField(default=1)
    rank = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="A device gets commands of a lower rank first."
    )
    unanswered = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Deliveries since the last answer to one."
    )
    # The session of the device in which it last said NotNow. In that session the command is not offered again.
    refused_session = models.DateTimeField(null=True)
    first_delivered = models.DateTimeField(null=True)
    # Apple's RequestRequiresNetworkTether: wait for a wired network. Only imported commands can have it.
    requires_network_tether = models.BooleanField(default=False)
    error_chain = models.JSONField(default=list)
    requested_by = models.CharField(max_length=310, blank=True)
    date_requested = models.DateTimeField()
    last_pushed = models.DateTimeField()
    date_completed = models.DateTimeField(null=True)

    same_answer = False  # as the one before to this question; no column, and known while the answer is taken
    # Whether its answer shows that the device does not have what the Library gives it. No column.
    lacks_items = False
    unproven = False  # whether its answer names an item whose version another answer has to show; no column

    objects = DeviceCommandQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["device", "-date_requested", "-id"], name="command_newest_first"),
            # For the devices with unfinished commands, and the devices with recently failed commands.
            models.Index(fields=["tenant", "status", "date_completed", "device"], name="command_status"),
            # For the queue of a device, whose history may be long.
            models.Index(fields=["device", "rank", "id"], condition=Q(status__in=[1, 2, 5]), name="command_queue"),
        ]
        constraints = [
            # Unique per device only, because a fleet with its history may be copied into another tenant.
            models.UniqueConstraint(fields=["device", "uuid"], name="command_uuid"),
            # If two requests send the same command at the same time, the database accepts only one.
            models.UniqueConstraint(
                fields=["device", "command", "subject"],
                condition=Q(status__in=[1, 2, 5]) & ~Q(command=""),
                name="one_unfinished_command",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_type} ({self.get_status_display()})"

    @property
    def cancellable(self) -> bool:
        """Whether the device has never received the command, so that it can still be taken out of the queue."""
        return self.status == self.Status.PENDING and not self.attempts and bool(self.command)
