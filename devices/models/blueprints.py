import uuid

from django.db import models
from django.db.models.functions import Cast, Coalesce, Replace

from access.models import Tenant


class BlueprintQuerySet(models.QuerySet["Blueprint"]):
    def counted(self) -> "BlueprintQuerySet":
        """Annotate `computers_count`, the number of devices, and `missing_computers_count`, those that are missing."""
        return self.with_devices().annotate(missing_computers_count=self._number_of(is_missing=True))

    def with_devices(self) -> "BlueprintQuerySet":
        """Annotate `computers_count` alone: no index counts the missing devices of a large fleet.

        A subquery counts only where its number is asked for: for the rows of a page, and not for those it is one of.
        """
        return self.annotate(computers_count=self._number_of())

    def _number_of(self, **conditions: bool) -> Coalesce:
        devices = self.model._meta.get_field("devices").related_model._default_manager
        own = devices.filter(blueprint=models.OuterRef("pk"), **conditions).order_by().values("blueprint")
        return Coalesce(models.Subquery(own.annotate(n=models.Count("*")).values("n")), 0)

    def identified(self, text: str) -> "BlueprintQuerySet":
        """Blueprints whose id contains the text, with or without its dashes."""
        id = Replace(Cast("uuid", models.CharField()), models.Value("-"), models.Value(""))
        return self.alias(hex=id).filter(hex__icontains=text.replace("-", ""))


BlueprintManager = models.Manager.from_queryset(BlueprintQuerySet)


class LiveBlueprints(BlueprintManager["Blueprint"]):
    """Blueprints that are not deleted."""

    def get_queryset(self) -> BlueprintQuerySet:
        return BlueprintQuerySet(self.model, using=self._db).filter(deleted_at=None)


class Blueprint(models.Model):
    """A set of configuration that devices are enrolled into.

    A deleted blueprint stays as a row with `deleted_at` set, because its devices still refer to it. `objects`, and so
    `tenant.blueprints`, does not contain it; `with_deleted` does.
    """

    class Type(models.TextChoices):
        CLASSIC = "classic"
        MAP = "map", "Assignment Map"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="blueprints")
    # The id in the API. It is unique within a tenant only: two tenants may have copies of the same blueprint.
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    icon = models.CharField(max_length=60, default="ss-layers")
    color = models.CharField(max_length=60, default="blue-500")
    type = models.CharField(max_length=10, choices=Type.choices, default=Type.CLASSIC)
    params = models.JSONField(default=dict, blank=True)
    enrollment_code = models.CharField(max_length=20, blank=True)
    enrollment_code_active = models.BooleanField(default=False)
    # Counts the changes of the code: a profile that was downloaded under an earlier one enrolls no device.
    code_generation = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # The key of the link for enrollment, which stands for the code. Empty: there is no link.
    link_key = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = LiveBlueprints()
    with_deleted = BlueprintQuerySet.as_manager()

    class Meta:
        constraints = [
            # A deleted blueprint does not reserve its id, so that a fleet can be copied into the tenant again.
            models.UniqueConstraint(
                fields=["tenant", "uuid"], name="blueprint_uuid", condition=models.Q(deleted_at=None)
            ),
            # For the devices in the order of their Blueprints' ids. It restricts nothing: SQLite keeps the order of the
            # devices of each Blueprint only behind an index that is unique.
            models.UniqueConstraint(fields=["tenant", "uuid", "id"], name="blueprint_order"),
            models.UniqueConstraint(fields=["link_key"], name="blueprint_link_key", condition=~models.Q(link_key="")),
        ]
        indexes = [models.Index(fields=["tenant", "name"], name="blueprint_name")]

    def __str__(self) -> str:
        return self.name
