from django.db import models

from access.models.tenants import Tenant


class IdentityProvider(models.Model):
    """The OpenID Connect provider with which the people of a tenant sign in. Its client secret is encrypted."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="identity_provider")
    name = models.CharField(max_length=100)
    issuer = models.CharField(max_length=500)
    client_id = models.CharField(max_length=255)
    key_number = models.PositiveIntegerField()
    ciphertext = models.BinaryField()
    # Whether everybody but the Account Owner signs in with it, and with nothing else.
    required = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
