from django.db import models

from access.models.tokens import ApiToken


class TokenUse(models.Model):
    """How often a token called one operation on one day, and when the last of these calls lacked the permission.

    `day` is a day of UTC, and `operation` the codename of the operation.
    """

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="uses")
    day = models.DateField()
    operation = models.CharField(max_length=100)
    calls = models.PositiveBigIntegerField(default=0)
    denied = models.PositiveBigIntegerField(default=0, help_text="Calls without the permission, not counted as calls.")
    denied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "day", "operation"], name="token_use")]
        indexes = [models.Index(fields=["day"], name="token_use_day")]

    def __str__(self) -> str:
        return f"{self.operation} on {self.day}"


class TokenNetwork(models.Model):
    """A network that a token was used from: an IPv4 /24 or an IPv6 /48."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="networks_seen")
    network = models.CharField(max_length=50)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "network"], name="token_network")]
        indexes = [models.Index(fields=["last_seen"], name="token_network_seen")]

    def __str__(self) -> str:
        return self.network
