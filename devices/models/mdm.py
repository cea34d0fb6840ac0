"""The Apple MDM plane: who is enrolled, with which certificate, and how a device is woken."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from access.models import Tenant
from devices.models.blueprints import Blueprint
from devices.models.devices import Device


class SealedKey(models.Model):
    """A private key, encrypted at rest by `access.sealing` and bound to its row."""

    key_number = models.PositiveIntegerField(help_text="Which of IRU_SECRET_KEYS encrypted the private key.")
    ciphertext = models.BinaryField(help_text="Nonce, AES-256-GCM ciphertext and tag.")

    class Meta:
        abstract = True


class MdmAuthority(SealedKey):
    """A certificate of the tenant's own, with its private key. Only devices.enrollment.authorities can read the key."""

    class Purpose(models.TextChoices):
        DEVICES = "devices", "Issues the certificates of devices"
        SIGNING = "signing", "Signs enrollment profiles"
        ESCROW = "escrow", "Receives FileVault recovery keys"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="mdm_authorities")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    certificate = models.BinaryField(help_text="X.509, in DER.")
    not_after = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, help_text="Since then it issues nothing, and still verifies.")

    class Meta:
        verbose_name = "MDM authority"
        verbose_name_plural = "MDM authorities"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "purpose"], condition=Q(retired_at=None), name="one_active_mdm_authority"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} ({self.tenant_id})"


class PushCertificate(models.Model):
    """The certificate with which Apple lets the tenant wake its devices, or the request for one.

    Only devices.enrollment.push_certificates can read its keys. `pending_*` belongs to a request that Apple has not
    answered yet: the certificate in use stays until its successor is uploaded.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="push_certificate")
    topic = models.CharField(max_length=255, blank=True, help_text="Its user id. Empty without a certificate.")
    certificate = models.TextField(blank=True, help_text="X.509, in PEM.")
    key_number = models.PositiveIntegerField(null=True)
    ciphertext = models.BinaryField(null=True)
    not_after = models.DateTimeField(null=True)
    apple_account = models.CharField(max_length=254, blank=True, help_text="Who renews it at Apple.")
    uploaded_at = models.DateTimeField(null=True)
    simulated = models.BooleanField(
        default=False, help_text="Made here, for simulated devices. Apple does not know it."
    )
    pending_request = models.TextField(blank=True, help_text="The certificate request, in PEM.")
    pending_key_number = models.PositiveIntegerField(null=True)
    pending_ciphertext = models.BinaryField(null=True)
    requested_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why Apple refused it at the last push.")
    error_at = models.DateTimeField(null=True)
    reminded_days = models.PositiveSmallIntegerField(null=True, help_text="The last reminder: days before the end.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(certificate="") | Q(ciphertext__isnull=False, not_after__isnull=False) & ~Q(topic=""),
                name="push_certificate_complete",
            )
        ]

    def __str__(self) -> str:
        return self.topic or f"Push certificate of {self.tenant_id}"


class Enrollment(models.Model):
    """One enrollment of a device, from its first message until it leaves. A device that returns gets another one."""

    class Kind(models.TextChoices):
        MANUAL = "manual", "Enrollment profile"
        ADE = "ade", "Automated Device Enrollment"

    class State(models.TextChoices):
        AUTHENTICATED = "authenticated", "Has said who it is"
        ENROLLED = "enrolled", "Enrolled"
        OUT = "out", "Has left"
        EVICTING = "evicting", "Is told to leave"
        EVICTED = "evicted", "Was told to leave"

    LIVE: ClassVar[tuple[str, ...]] = (State.AUTHENTICATED, State.ENROLLED)

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="enrollments")
    # Null until the first TokenUpdate, and after its device was deleted.
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="enrollments")
    udid = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MANUAL)
    state = models.CharField(max_length=15, choices=State.choices, default=State.AUTHENTICATED)
    simulated = models.BooleanField(default=False)
    # What Authenticate said, without the UDID: SerialNumber, ProductName, OSVersion and the like.
    facts = models.JSONField(default=dict)
    # Where the ticket leads. Without a Blueprint the routing chooses one.
    blueprint = models.ForeignKey(Blueprint, on_delete=models.SET_NULL, null=True, related_name="+")
    topic = models.CharField(max_length=255, blank=True)
    token = models.BinaryField(null=True, help_text="The device token of Apple's push service.")
    push_magic = models.CharField(max_length=100, blank=True)
    # SHA-256 of the pairs of token and magic that were replaced: an old TokenUpdate that is sent again is refused.
    replaced_tokens = models.JSONField(default=list)
    awaiting_configuration = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    enrolled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # The session: from `Idle` until an empty answer.
    session_at = models.DateTimeField(null=True)
    last_status = models.CharField(max_length=30, blank=True)
    refused_rounds = models.PositiveSmallIntegerField(default=0)
    # The next push. It is cleared by a connect.
    push_due_at = models.DateTimeField(null=True)
    push_sent_at = models.DateTimeField(null=True)
    push_attempts = models.PositiveSmallIntegerField(default=0)
    push_error = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, help_text="A worker sends its push until then.")
    inventory_at = models.DateTimeField(null=True, help_text="When it was last asked for its inventory.")
    # The Blueprint whose items it was last compared with, and its system then: `devices.library.desired`. Empty: it is
    # to be compared.
    planned = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    # What its declarations were last planned for: `devices.declarations.planning`. Empty: they are to be planned.
    declared = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["push_due_at"], condition=Q(push_due_at__isnull=False), name="enrollment_push_due"),
            models.Index(fields=["tenant", "udid"], name="enrollment_udid"),
            models.Index(fields=["inventory_at"], condition=Q(state="enrolled"), name="enrollment_inventory"),
            models.Index(fields=["enrolled_at"], condition=Q(awaiting_configuration=True), name="enrollment_setup"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "udid"],
                condition=Q(state__in=["authenticated", "enrolled"]),
                name="one_live_enrollment",
            ),
            models.UniqueConstraint(
                fields=["device"], condition=Q(state="enrolled"), name="one_enrollment_of_a_device"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.udid} ({self.get_state_display()})"


class UserChannel(models.Model):
    """An account on a device that has spoken with this server. Nothing is sent to it yet."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="user_channels")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="user_channels")
    user_id = models.CharField(max_length=100)
    short_name = models.CharField(max_length=255, blank=True)
    token = models.BinaryField(null=True)
    push_magic = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["enrollment", "user_id"], name="one_channel_of_a_user")]

    def __str__(self) -> str:
        return self.short_name or self.user_id


class DeviceCertificate(models.Model):
    """The identity of a device, issued over SCEP. It belongs to one enrollment from the first message on."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="device_certificates")
    authority = models.ForeignKey(MdmAuthority, on_delete=models.CASCADE, related_name="issued")
    serial_number = models.CharField(max_length=40, help_text="Hexadecimal.")
    sha256 = models.CharField(max_length=64, help_text="Of the certificate in DER; hexadecimal.")
    certificate = models.BinaryField(help_text="X.509, in DER.")
    # What its ticket allowed: `devices.enrollment.tickets.Ticket`.
    ticket = models.JSONField()
    transaction_id = models.CharField(max_length=255)
    csr_sha256 = models.CharField(max_length=64)
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, null=True, related_name="certificates")
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True, help_text="Since then its enrollment has a newer one.")

    class Meta:
        indexes = [
            # A device that asks twice for the same request gets the same certificate.
            models.Index(fields=["tenant", "csr_sha256"], name="device_certificate_request"),
            models.Index(fields=["not_after"], condition=Q(superseded_at=None), name="device_certificate_expiry"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["authority", "serial_number"], name="device_certificate_serial"),
            models.UniqueConstraint(fields=["tenant", "sha256"], name="device_certificate_sha256"),
        ]

    def __str__(self) -> str:
        return self.serial_number


class UsedTicket(models.Model):
    """A ticket for one use that was used. It is deleted when the ticket has expired."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="used_tickets")
    nonce = models.CharField(max_length=40)
    used_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "nonce"], name="ticket_used_once")]

    def __str__(self) -> str:
        return self.nonce
