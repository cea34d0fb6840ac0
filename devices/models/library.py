import uuid

from django.db import models
from django.utils import timezone

from access.models import Tenant
from devices.models.blueprints import Blueprint
from devices.models.devices import Device


class SelfServiceCategory(models.Model):
    """A heading for items in Self Service. `position` is its place among the categories of the tenant.

    A tenant without rows has the default categories: see `devices.library.categories`.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="self_service_categories")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "self-service categories"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uuid"], name="category_uuid"),
            models.UniqueConstraint(fields=["tenant", "name"], name="category_name"),
        ]

    def __str__(self) -> str:
        return self.name


class LibraryItem(models.Model):
    """An app, a profile, a script or another item that blueprints install or enforce.

    Each kind that can be edited here has its own table with a row for the item. For an item without such a row, only
    the name and the type are known: its contents are on another server, or it comes from the reports of devices.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="library_items")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=40, help_text="custom-app, profile, custom-script, automatic-app, …")
    # An inactive item stays assigned, but no device gets it.
    active = models.BooleanField(default=True)
    show_in_self_service = models.BooleanField(default=False)
    category = models.ForeignKey(SelfServiceCategory, on_delete=models.PROTECT, null=True, related_name="library_items")
    self_service_recommended = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    # Of the content, as devices have it: the PayloadUUID of a profile, a digest of the file of an app.
    version = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="library_item_uuid")]
        indexes = [
            models.Index(fields=["tenant", "name", "id"], name="library_item_name"),
            models.Index(fields=["tenant", "type", "id"], name="library_item_type"),
            models.Index(fields=["tenant", "updated_at", "id"], name="library_item_changed"),
        ]

    def __str__(self) -> str:
        return self.name


class AssignmentNode(models.Model):
    """A branch of an assignment map blueprint. Library items are assigned to it.

    A device of the blueprint gets the items of each branch whose conditions all hold for it. A map has no branch, or it
    has a default branch, which never has conditions, and any number of others.
    """

    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="nodes")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    # Its place among the branches of the map: only the order in which they are shown.
    position = models.PositiveIntegerField(default=0, db_default=0)
    is_default = models.BooleanField(default=False, db_default=False)
    # Objects of `devices.conditions.conditions.Condition`. A branch without any is for every device.
    conditions = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["blueprint", "uuid"], name="node_uuid"),
            models.UniqueConstraint(
                fields=["blueprint"], condition=models.Q(is_default=True), name="one_default_node_of_a_map"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Assignment(models.Model):
    """A library item on a blueprint, or on a node of it if the blueprint is an assignment map."""

    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="assignments")
    library_item = models.ForeignKey(LibraryItem, on_delete=models.CASCADE, related_name="assignments")
    node = models.ForeignKey(AssignmentNode, on_delete=models.CASCADE, null=True, related_name="assignments")

    class Meta:
        constraints = [
            # Two constraints, because a database does not treat two NULL nodes as equal.
            models.UniqueConstraint(
                fields=["blueprint", "library_item"], condition=models.Q(node=None), name="assigned_to_blueprint_once"
            ),
            models.UniqueConstraint(fields=["node", "library_item"], name="assigned_to_node_once"),
        ]

    def __str__(self) -> str:
        return f"{self.library_item_id} on {self.blueprint_id}"


class LibraryActivity(models.Model):
    """A change of a library item, for the API's list of activity. It has the item's id, as it outlives the item."""

    class Type(models.TextChoices):
        CREATED = "library_item_created", "Created"
        EDITED = "library_item_edited", "Edited"
        DELETED = "library_item_deleted", "Deleted"
        DUPLICATED = "library_item_duplicated", "Duplicated"
        ASSIGNMENT_CHANGED = "library_item_assignment_changed", "Assignment changed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="library_activity")
    item_uuid = models.UUIDField()
    activity_time = models.DateTimeField(default=timezone.now)
    activity_type = models.CharField(max_length=60, choices=Type.choices)
    # The id of the person or the token; empty for a management command.
    user_id = models.CharField(max_length=36, blank=True)
    user_email = models.CharField(max_length=254, blank=True)
    user_name = models.CharField(max_length=310, blank=True)
    # Lines "<Field>: <old> → <new>" of an edit; None for other changes.
    details = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "library activity"
        indexes = [models.Index(fields=["tenant", "item_uuid", "-id"], name="library_activity_newest")]

    def __str__(self) -> str:
        return self.activity_type


class LibraryStatus(models.Model):
    """The last reported status of a library item on a device.

    A device in the item's scope that has not reported has no row: see `devices.library.statuses`.
    """

    item = models.ForeignKey(LibraryItem, on_delete=models.CASCADE, related_name="statuses", db_index=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="library_statuses")
    status = models.CharField(max_length=60)
    reported_at = models.DateTimeField(null=True)
    log = models.TextField(null=True)
    last_audit_run = models.DateTimeField(null=True)
    last_audit_log = models.TextField(null=True)
    control_log = models.TextField(null=True)
    control_reported_at = models.DateTimeField(null=True)
    rules_present = models.BooleanField(default=False)
    edr_status = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "library statuses"
        constraints = [models.UniqueConstraint(fields=["item", "device"], name="library_status_once")]
        indexes = [models.Index(fields=["item", "status", "device"], name="library_status_counts")]

    def __str__(self) -> str:
        return f"{self.item_id} on device {self.device_id}: {self.status}"
