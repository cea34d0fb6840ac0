import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import (
    AbstractBaseUser,
    BaseUserManager,
    PermissionsMixin,
)
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from access.models.tenants import Tenant

INVITATION = timedelta(hours=24)
LONG_PASSWORD = 15  # characters; a shorter one is enough only beside a second step


class Role(models.TextChoices):
    """Access levels of an administrator within their tenant."""

    OWNER = "account_owner", "Account Owner"
    ADMIN = "admin", "Admin"
    STANDARD = "standard", "Standard"
    HELP_DESK = "help_desk", "Help Desk"
    AUDITOR = "auditor", "Auditor"
    SECRETS_AUDITOR = "secrets_auditor", "Secrets Auditor"


class AdministratorManager(BaseUserManager["Administrator"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "Administrator":
        """Create a person who signs in with `email`. Without a password they are Pending."""
        joined = {} if password is None else {"joined_at": timezone.now()}
        administrator = self.model(email=email.strip().lower(), **{**joined, **fields})
        administrator.set_password(password)
        administrator.save(using=self._db)
        return administrator

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "Administrator":
        """Create an operator: staff of the installation, member of no tenant."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "Administrator":
        return self.get(email=(username or "").strip().lower())


class Administrator(AbstractBaseUser, PermissionsMixin):
    """A person who signs in: an administrator of one tenant, or an operator (staff, without a tenant)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="administrators",
    )
    email = models.EmailField("e-mail", unique=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.STANDARD, blank=True)
    is_active = models.BooleanField(
        default=True,
        help_text="A suspended person cannot sign in; open sessions end with their next request.",
    )
    is_staff = models.BooleanField(
        "operator",
        default=False,
        help_text="May use Django admin; belongs to no tenant.",
    )
    short_password = models.BooleanField(default=False, editable=False)  # shorter than LONG_PASSWORD
    # The last invitation, and the moment the person came by one: until then they are Pending.
    invited_at = models.DateTimeField(null=True, editable=False)
    joined_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[AdministratorManager] = AdministratorManager()

    class Meta:
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(
                name="administrator_tenant_or_operator",
                condition=Q(tenant__isnull=False, is_staff=False) | Q(tenant__isnull=True, is_staff=True),
                violation_error_message="An administrator belongs to a tenant; an operator belongs to none.",
            ),
            models.UniqueConstraint(
                name="one_account_owner_per_tenant",
                fields=["tenant"],
                condition=Q(role=Role.OWNER),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Full name, or the e-mail address of a person without a name."""
        return f"{self.first_name} {self.last_name}".strip() or self.email

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.short_password = raw_password is not None and len(raw_password) < LONG_PASSWORD

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # The role is part of the hash, so that sessions end when it changes, as they do for a new password.
        value = f"{self.password}:{self.role}:{self.is_staff}"
        return salted_hmac("access.session", value, secret=secret, algorithm="sha256").hexdigest()

    @property
    def status(self) -> str:
        """`suspended`, `pending` (invited, and has never had a way to sign in) or `active`."""
        if not self.is_active:
            return "suspended"
        return "active" if self.joined_at else "pending"

    @property
    def invitation_ends(self) -> datetime | None:
        """When the link of the last invitation stops working; None for a person who needs none."""
        return self.invited_at + INVITATION if self.invited_at and not self.joined_at else None

    @property
    def invitation_ended(self) -> bool:
        return self.invitation_ends is not None and self.invitation_ends <= timezone.now()

    def get_full_name(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        return (self.first_name[:1] + self.last_name[:1]).upper() or self.email[:1].upper()

    @property
    def manages_access(self) -> bool:
        """Whether the person may open the Access area of their tenant: tokens and administrators."""
        return self.tenant_id is not None and self.role in {Role.OWNER, Role.ADMIN}
