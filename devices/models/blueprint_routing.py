from django.db import models

from access.models import Tenant


class BlueprintRouting(models.Model):
    """The enrollment code of a tenant for devices that enroll without naming a blueprint."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="blueprint_routing")
    enrollment_code = models.CharField(max_length=20, blank=True)
    enrollment_code_active = models.BooleanField(default=False)
    code_generation = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    link_key = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["link_key"], name="routing_link_key", condition=~models.Q(link_key=""))
        ]

    def __str__(self) -> str:
        return f"Blueprint routing of {self.tenant_id}"


class RoutingActivity(models.Model):
    """A change to the routing, or a device that was routed. The keys of `details` depend on `activity_type`."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="routing_activity")
    activity_time = models.DateTimeField()
    activity_type = models.CharField(max_length=60)
    user_id = models.CharField(max_length=36, blank=True)
    user_email = models.CharField("user e-mail", max_length=254, blank=True)
    device_uuid = models.UUIDField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "routing activity"
        indexes = [models.Index(fields=["tenant", "-activity_time", "-id"], name="routing_newest")]

    def __str__(self) -> str:
        return self.activity_type
