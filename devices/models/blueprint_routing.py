from django.db import models

from access.models import Tenant


class BlueprintRouting(models.Model):
    """How a tenant's new devices find their blueprint when they enroll without naming one."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="blueprint_routing")
    enrollment_code = models.CharField(max_length=20, blank=True)
    enrollment_code_active = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"Blueprint routing of {self.tenant_id}"


class RoutingActivity(models.Model):
    """Something that happened to the routing, or by it. `details` has the shape of its `activity_type`."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="routing_activity")
    activity_time = models.DateTimeField()
    activity_type = models.CharField(max_length=60)
    user_id = models.CharField(max_length=36, blank=True)
    user_email = models.CharField(max_length=254, blank=True)
    device_uuid = models.UUIDField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "routing activity"
        indexes = [models.Index(fields=["tenant", "-activity_time", "-id"], name="routing_newest")]

    def __str__(self) -> str:
        return self.activity_type
