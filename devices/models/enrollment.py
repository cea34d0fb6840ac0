import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone

from access.models import Tenant
from devices.models.blueprints import Blueprint
from devices.models.users import User


class AdeKeyPair(models.Model):
    """A tenant's key pair for Automated Device Enrollment. Apple encrypts server tokens with its certificate.

    Only devices.enrollment.ade_keys can read the private key.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="ade_key_pair")
    certificate = models.TextField(help_text="X.509, in PEM.")
    key_number = models.PositiveIntegerField(help_text="Which of IRU_SECRET_KEYS encrypted the private key.")
    ciphertext = models.BinaryField(help_text="Nonce, AES-256-GCM ciphertext and tag.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "ADE key pair"

    def __str__(self) -> str:
        return f"ADE key pair of {self.tenant_id}"


class AdeIntegration(models.Model):
    """A device management server at Apple, and the server token that gives access to it.

    `blueprint`, `use_blueprint_routing`, `email` and `phone` are the defaults of devices that Apple assigns later. An
    integration that was copied from another tenant has no token until it is renewed.
    """

    class Reason(models.TextChoices):
        """The reasons for a broken integration: the API's values, and the labels of the pages."""

        FORBIDDEN = "FORBIDDEN", "Apple denies this server access to the service."
        UNAUTHORIZED = "UNAUTHORIZED", "Apple no longer accepts the server token."
        TERMS = "T_C_NOT_SIGNED", "The organization has not accepted the latest terms and conditions of Apple."
        EXPIRED = "EXPIRED", "The server token has expired."
        NO_TOKEN = "TOKEN_MISSING", "It was copied from another tenant, which does not give its server token away."

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="ade_integrations")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    blueprint = models.ForeignKey(
        Blueprint, on_delete=models.PROTECT, null=True, blank=True, related_name="ade_integrations"
    )
    use_blueprint_routing = models.BooleanField(default=False)
    email = models.CharField(max_length=254)
    phone = models.CharField(max_length=60)
    server_name = models.CharField(max_length=255)
    server_uuid = models.UUIDField()
    admin_id = models.CharField(max_length=254, blank=True)
    org_name = models.CharField(max_length=255, blank=True)
    org_email = models.CharField(max_length=254, blank=True)
    org_phone = models.CharField(max_length=60, blank=True)
    org_address = models.CharField(max_length=500, blank=True)
    org_type = models.CharField(max_length=20, blank=True)
    stoken_file_name = models.CharField(max_length=400, blank=True)
    access_token_expiry = models.DateTimeField()
    key_number = models.PositiveIntegerField(null=True, help_text="Which of IRU_SECRET_KEYS encrypted the token.")
    ciphertext = models.BinaryField(null=True, help_text="Nonce, AES-256-GCM ciphertext and tag of the server token.")
    # The refusal by Apple's service that stopped the last sync; empty without one. `broken` has further reasons.
    refusal = models.CharField(max_length=30, blank=True, choices=Reason.choices)
    refused_at = models.DateTimeField(null=True)
    last_device_sync = models.DateTimeField(null=True)
    cursor = models.CharField(max_length=2000, blank=True, help_text="Where the next answer of Apple's list begins.")
    # Set while the whole list is fetched. Devices that are missing from that list no longer belong to the server.
    fetch_started_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True, help_text="One worker syncs it until then.")
    profile_uuid = models.CharField(max_length=64, blank=True, help_text="Apple's id of the enrollment profile.")
    profile_digest = models.CharField(max_length=64, blank=True, help_text="Of the content that Apple has of it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "ADE integration"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uuid"], name="ade_integration_uuid"),
            models.UniqueConstraint(fields=["tenant", "server_uuid"], name="ade_integration_server"),
        ]

    def __str__(self) -> str:
        return self.server_name

    @property
    def live_blueprint(self) -> Blueprint | None:
        """The Blueprint, unless it is deleted."""
        return self.blueprint if self.blueprint and self.blueprint.deleted_at is None else None

    @property
    def broken(self) -> "tuple[Reason, datetime] | None":
        """The reason why the integration does not work, and the time since then; None if it works."""
        if self.ciphertext is None:
            return self.Reason.NO_TOKEN, self.created_at
        if self.access_token_expiry <= timezone.now():
            return self.Reason.EXPIRED, self.access_token_expiry
        if self.refusal and self.refused_at:
            return self.Reason(self.refusal), self.refused_at
        return None

    @property
    def status(self) -> str:
        return "BROKEN" if self.broken else "SUCCESS"

    @property
    def days_left(self) -> int:
        """Whole days until the server token expires; 0 once it has expired."""
        return max((self.access_token_expiry - timezone.now()).days, 0)


class AdeDeviceQuerySet(models.QuerySet["AdeDevice"]):
    # Filters of the API and their lookups. Substring filters ignore case.
    FILTERS = {
        "dep_account": "integration__uuid",
        "device_family": "device_family",
        "model": "model__icontains",
        "os": "os",
        "profile_status": "profile_status",
        "serial_number": "serial_number__icontains",
        "user_id": "user__uuid",
        "blueprint_id": "blueprint__in",
    }

    def filtered(self, filters: dict[str, object]) -> "AdeDeviceQuerySet":
        """Devices that match all of these filters. `blueprint_id` takes primary keys, as in `Device.filtered`."""
        return self.filter(**{self.FILTERS[name]: value for name, value in filters.items()})

    def with_serial(self, serial_number: str) -> "AdeDeviceQuerySet":
        """The device with this serial number, in capitals or not, by the index of the constraint."""
        return self.alias(upper=Upper("serial_number")).filter(upper=serial_number.upper())

    def complete(self) -> "AdeDeviceQuerySet":
        return self.select_related("blueprint", "user", "integration")


class AdeDevice(models.Model):
    """A device that Apple assigned to the server of an integration, by its serial number.

    It exists before the device is enrolled. The serial number relates it to the enrolled device. The device gets
    `blueprint`, `use_blueprint_routing`, `user` and `asset_tag` when it enrolls.
    """

    class Family(models.TextChoices):
        MAC = "Mac"
        IPAD = "iPad", "iPad"
        IPHONE = "iPhone", "iPhone"
        APPLE_TV = "AppleTV", "Apple TV"
        IPOD = "iPod", "iPod"
        VISION = "Vision", "Vision"

    class ProfileStatus(models.TextChoices):
        EMPTY = "empty", "No profile"
        ASSIGNED = "assigned", "Assigned"
        PUSHED = "pushed", "Pushed"
        REMOVED = "removed", "Removed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="ade_devices", db_index=False)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    integration = models.ForeignKey(AdeIntegration, on_delete=models.CASCADE, related_name="devices", db_index=False)
    serial_number = models.CharField(max_length=100)
    model = models.CharField(max_length=255, blank=True)
    description = models.CharField(max_length=255, blank=True)
    color = models.CharField(max_length=60, blank=True)
    device_family = models.CharField(max_length=20, blank=True)
    os = models.CharField(max_length=20, blank=True)
    device_assigned_by = models.CharField(max_length=254, blank=True)
    device_assigned_date = models.DateTimeField(null=True)
    profile_status = models.CharField(max_length=10, choices=ProfileStatus.choices, default=ProfileStatus.EMPTY)
    profile_uuid = models.CharField(max_length=64, blank=True)
    profile_assign_time = models.DateTimeField(null=True)
    profile_push_time = models.DateTimeField(null=True)
    blueprint = models.ForeignKey(
        Blueprint, on_delete=models.PROTECT, null=True, blank=True, related_name="ade_devices", db_index=False
    )
    use_blueprint_routing = models.BooleanField(default=False)
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="ade_devices", db_index=False
    )
    asset_tag = models.CharField(max_length=255, null=True, blank=True)
    override_dep_profile_id = models.UUIDField(null=True, help_text="The Library item that the device is pinned to.")
    last_assignment_status = models.CharField(max_length=30, blank=True)
    failed_assignment_attempts = models.PositiveIntegerField(default=0)
    assignment_status_received_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True, help_text="When Apple changed it last; an older change is ignored.")
    listed_at = models.DateTimeField(help_text="The beginning of the last fetch that listed it.")

    objects = AdeDeviceQuerySet.as_manager()

    class Meta:
        verbose_name = "ADE device"
        # (tenant, id) and (integration, id) are the orders of the lists. Each other index is for one filter. Each
        # foreign key is the first column of one of them, so none needs its own index.
        indexes = [
            models.Index(fields=["tenant", "id"], name="ade_device_list"),
            models.Index(fields=["integration", "id"], name="ade_device_integration"),
            models.Index(fields=["integration", "device_family"], name="ade_device_counts"),
            models.Index(fields=["tenant", "device_family", "id"], name="ade_device_family"),
            models.Index(fields=["tenant", "os", "id"], name="ade_device_os"),
            models.Index(fields=["tenant", "profile_status", "id"], name="ade_device_profile"),
            models.Index(fields=["tenant", "model", "id"], name="ade_device_model"),
            models.Index(fields=["tenant", "serial_number", "id"], name="ade_device_serial"),
            models.Index(fields=["tenant", "device_assigned_date", "id"], name="ade_device_assigned"),
            models.Index(fields=["blueprint", "id"], name="ade_device_blueprint"),
            models.Index(fields=["user", "id"], name="ade_device_user"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uuid"], name="ade_device_uuid"),
            models.UniqueConstraint("tenant", Upper("serial_number"), name="ade_device_serial_number"),
            models.CheckConstraint(
                condition=Q(use_blueprint_routing=False) | Q(blueprint=None), name="ade_device_routed_or_placed"
            ),
        ]

    def __str__(self) -> str:
        return self.serial_number

    @property
    def live_blueprint(self) -> Blueprint | None:
        """The Blueprint, unless it is deleted."""
        return self.blueprint if self.blueprint and self.blueprint.deleted_at is None else None
