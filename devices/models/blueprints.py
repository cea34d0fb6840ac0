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


BlueprintManager = models.Manager.from_queryset(BlueprintQuerySet)


class LiveBlueprints(BlueprintManager["Blueprint"]):
    def get_queryset(self) -> BlueprintQuerySet:
        return BlueprintQuerySet(self.model, using=self._db).filter(deleted_at=None)


class Blueprint(models.Model):
    """A set of configuration that devices are enrolled into.

    One that was deleted stays as a row, because the devices that were in it keep what they last were enrolled into;
    `objects`, and with it `tenant.blueprints`, leaves it out.
    """

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
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = LiveBlueprints()
    with_deleted = BlueprintQuerySet.as_manager()

    class Meta:
        constraints = [
            # A deleted one holds its id for no one: a fleet may be copied into the tenant again.
            models.UniqueConstraint(
                fields=["tenant", "uuid"], name="blueprint_uuid", condition=models.Q(deleted_at=None)
            )
        ]
        indexes = [models.Index(fields=["tenant", "name"], name="blueprint_name")]

    def __str__(self) -> str:
        return self.name
