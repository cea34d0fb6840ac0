from django.db import models

from access.models import Tenant
from devices.models.devices import Device


class DeviceSecret(models.Model):
    """One secret of a device, encrypted and bound to this row. Only devices.fleet.secrets can read it."""

    class Kind(models.TextChoices):
        FILEVAULT_KEY = "filevault_key", "FileVault recovery key"
        USER_BYPASS_CODE = "user_bypass_code", "User-based Activation Lock bypass code"
        DEVICE_BYPASS_CODE = "device_bypass_code", "Device-based Activation Lock bypass code"
        RECOVERY_PASSWORD = "recovery_password", "Recovery Lock password"
        UNLOCK_PIN = "unlock_pin", "Unlock PIN"
        UNLOCK_TOKEN = "unlock_token", "Unlock token"
        BOOTSTRAP_TOKEN = "bootstrap_token", "Bootstrap token"
        COMMAND_SECRET = "command_secret", "Secret of a queued command"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="device_secrets")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="secrets")
    kind = models.CharField(max_length=30, choices=Kind.choices)
    subject = models.CharField(max_length=36, blank=True, help_text="The command that a command's secret belongs to.")
    key_number = models.PositiveIntegerField(help_text="Which of IRU_SECRET_KEYS encrypted it.")
    ciphertext = models.BinaryField(help_text="Nonce, AES-256-GCM ciphertext and tag.")
    imported = models.BooleanField(default=False, editable=False)  # an import replaces only imported secrets
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "kind", "subject"], name="one_secret_of_a_kind")]

    def __str__(self) -> str:
        return self.get_kind_display()
