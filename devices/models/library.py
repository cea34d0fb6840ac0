import uuid

from django.db import models

from access.models import Tenant
from devices.models.blueprints import Blueprint


class LibraryItem(models.Model):
    """An app, a profile, a script or another item that blueprints install or enforce."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="library_items")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=40, help_text="custom-app, profile, custom-script, automatic-app, …")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="library_item_uuid")]
        indexes = [models.Index(fields=["tenant", "name", "id"], name="library_item_name")]

    def __str__(self) -> str:
        return self.name


class AssignmentNode(models.Model):
    """A branch of an assignment map blueprint. Library items are assigned to it."""

    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="nodes")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["blueprint", "uuid"], name="node_uuid")]

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
