import uuid

from django.db import models
from django.db.models.functions import Coalesce

from access.models import Tenant


class BlueprintQuerySet(models.QuerySet["Blueprint"]):
    def counted(self) -> "BlueprintQuerySet":
        """With `computers_count` and `missing_computers_count`: its devices, and those of them that are missing."""
        devices = self.model._meta.get_field("devices").related_model._default_manager
        mine = devices.filter(blueprint=models.OuterRef("pk")).order_by().values("blueprint")
        count = mine.annotate(n=models.Count("*")).values("n")
        return self.annotate(
            computers_count=Coalesce(models.Subquery(count), 0),
            missing_computers_count=Coalesce(models.Subquery(count.filter(is_missing=True)), 0),
        )


class Blueprint(models.Model):
    """A set of configuration that devices are enrolled into."""

    class Type(models.TextChoices):
        CLASSIC = "classic"
        MAP = "map", "Assignment Map"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="blueprints")
    # What the API calls the id. Two tenants may hold copies of one blueprint, so it is unique within each.
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    icon = models.CharField(max_length=60, default="ss-layers")
    color = models.CharField(max_length=60, default="blue-500")
    type = models.CharField(max_length=10, choices=Type.choices, default=Type.CLASSIC)
    params = models.JSONField(default=dict, blank=True)
    enrollment_code = models.CharField(max_length=20, blank=True)
    enrollment_code_active = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BlueprintQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="blueprint_uuid")]
        indexes = [models.Index(fields=["tenant", "name"], name="blueprint_name")]

    def __str__(self) -> str:
        return self.name
