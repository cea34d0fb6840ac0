import uuid

from django.db import models
from django.db.models.functions import Coalesce

from access.models import Tenant


class DirectoryIntegration(models.Model):
    """The source of users: a directory such as Google Workspace or Okta, or the list of manually added users."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="directory_integrations")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(
        null=True, blank=True, help_text="The integer id that the API answers. Only an imported integration has one."
    )
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="integration_uuid")]

    def __str__(self) -> str:
        return self.name


class UserQuerySet(models.QuerySet["User"]):
    def counted(self) -> "UserQuerySet":
        """Annotate `device_count`, the number of devices assigned to the user."""
        devices = self.model._meta.get_field("devices").related_model._default_manager
        count = devices.filter(user=models.OuterRef("pk")).order_by().values("user").annotate(n=models.Count("*"))
        return self.annotate(device_count=Coalesce(models.Subquery(count.values("n")), 0))


class OrEmpty(models.Func):
    """The text, or "" for NULL. Unlike Coalesce it has no parameter, so that a query can use an index of it."""

    template = "COALESCE(%(expressions)s, '')"
    output_field = models.CharField()


class User(models.Model):
    """A person whom devices are assigned to. People who sign in here are Administrators."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="users")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    email = models.CharField("e-mail", max_length=254)
    active = models.BooleanField(default=True)
    archived = models.BooleanField(default=False)
    department = models.CharField(max_length=255, null=True, blank=True)
    job_title = models.CharField(max_length=255, null=True, blank=True)
    deprecated_user_id = models.CharField(max_length=20, blank=True)
    # No index of its own: `user_of_integration` begins with it.
    integration = models.ForeignKey(
        DirectoryIntegration, on_delete=models.PROTECT, related_name="users", db_index=False
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    objects = UserQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="user_uuid")]
        indexes = [
            models.Index(fields=["tenant", "email"], name="user_email"),
            models.Index(fields=["tenant", "-created_at", "-id"], name="user_newest"),
            models.Index(fields=["integration", "-created_at", "-id"], name="user_of_integration"),
            models.Index(
                fields=["tenant", "-created_at", "-id"], condition=models.Q(archived=True), name="user_archived"
            ),
            # The orders of the list of users.
            models.Index(fields=["tenant", "name", "id"], name="user_name"),
            models.Index("tenant", OrEmpty("department"), "id", name="user_department"),
            models.Index("tenant", OrEmpty("job_title"), "id", name="user_job_title"),
        ]

    def __str__(self) -> str:
        return self.name
