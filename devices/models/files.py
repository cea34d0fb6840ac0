import uuid

from django.db import models

from access.models import Tenant


class StoredFile(models.Model):
    """A file in the storage, or a place that is reserved for a file.

    `key` is its key there, made by the server. The row is written before the file, and deleted after it.
    """

    class Purpose(models.TextChoices):
        CUSTOM_APP = "custom_apps", "Custom app"
        IPA_APP = "ipa_apps", "In-house app"
        ICON = "icons", "Icon of an in-house app"
        EXPORT = "exports", "Prism export"

    class State(models.TextChoices):
        RESERVED = "reserved", "Reserved, and not uploaded yet"
        UPLOADED = "uploaded", "Uploaded, and not checked yet"
        READY = "ready"
        DAMAGED = "damaged", "Other than it was uploaded"
        REFUSED = "refused", "Not of its kind"
        DELETED = "deleted", "About to be deleted"

    # A cascade would delete only the rows, and leave the files forever.
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="files")
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=255, unique=True)
    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    name = models.CharField(max_length=255, help_text="As its sender calls it.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RESERVED)
    reason = models.CharField(max_length=255, blank=True, help_text="Why it is damaged or refused.")
    upload = models.PositiveIntegerField(
        default=0, help_text="The number of times that it was uploaded. A check of an earlier upload does not count."
    )
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    md5 = models.CharField(max_length=32, blank=True)
    metadata = models.JSONField(default=dict, blank=True, help_text="What was read in it.")
    created_at = models.DateTimeField(auto_now_add=True)
    uploaded_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="When it is deleted. Empty while something uses it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "uuid"], name="file_uuid")]
        indexes = [
            models.Index(fields=["expires_at"], name="file_expiry", condition=models.Q(expires_at__isnull=False))
        ]

    def __str__(self) -> str:
        return self.key
