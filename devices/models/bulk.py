import uuid

from django.db import models
from django.utils import timezone

from access.models import Administrator, Tenant


class BulkAction(models.Model):
    """One change to many devices, or to many library items, which a worker carries out."""

    class Kind(models.TextChoices):
        COMMAND = "command", "Command"
        ADD_TAG = "add_tag", "Add tag"
        REMOVE_TAG = "remove_tag", "Remove tag"
        ASSIGN_BLUEPRINT = "assign_blueprint", "Assign Blueprint"
        ASSIGN_USER = "assign_user", "Assign user"
        ASSIGN_ITEM = "assign_item", "Assign to Blueprint"
        REMOVE_ITEM = "remove_item", "Remove from Blueprint"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="bulk_actions", db_index=False)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    label = models.CharField(max_length=310, help_text="What is done, as people read it.")
    selection = models.CharField(max_length=1000, help_text="How its devices were selected, as people read it.")
    parameters = models.JSONField(default=dict, help_text="The command, or the id of the tag, Blueprint or user.")
    # The body of the command may have a PIN or a passcode, so it is deleted when the action ends.
    key_number = models.PositiveIntegerField(null=True, help_text="Which of IRU_SECRET_KEYS encrypted the body.")
    ciphertext = models.BinaryField(null=True, help_text="Nonce, AES-256-GCM ciphertext and tag of the body.")
    # Null after the person is removed. The name of the person stays.
    administrator = models.ForeignKey(Administrator, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by = models.CharField(max_length=310)
    created_at = models.DateTimeField(default=timezone.now)
    moved_at = models.DateTimeField(default=timezone.now, help_text="When the last group of results was stored.")
    ended_at = models.DateTimeField(null=True)
    # Changed in one transaction with the results, so that no page has to count a hundred thousand rows.
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="bulk_action_uuid")]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="bulk_action_newest"),
            models.Index(fields=["moved_at"], name="bulk_action_running", condition=models.Q(ended_at=None)),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def queued(self) -> int:
        return self.total - self.done - self.skipped - self.failed

    @property
    def of_items(self) -> bool:
        """Whether the action changes library items instead of devices."""
        return self.kind in {self.Kind.ASSIGN_ITEM, self.Kind.REMOVE_ITEM}


class BulkResult(models.Model):
    """The result of a bulk action for one device or one library item.

    It has the id and the name of its object, so that it stays readable after the object is deleted.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"
        FAILED = "failed", "Failed"

    action = models.ForeignKey(BulkAction, on_delete=models.CASCADE, related_name="results", db_index=False)
    target_uuid = models.UUIDField()
    name = models.CharField(max_length=255)
    serial_number = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was skipped, or failed.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "target_uuid"], name="bulk_result_once")]
        indexes = [
            models.Index(fields=["action", "id"], name="bulk_result_list"),
            models.Index(fields=["action", "status", "id"], name="bulk_result_status"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
