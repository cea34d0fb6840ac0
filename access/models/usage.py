from datetime import date, timedelta

from django.db import models
from django.db.models import Max, Min, Sum
from django.utils import timezone

from access.models.tokens import ApiToken


class TokenUseQuerySet(models.QuerySet["TokenUse"]):
    def of_last(self, days: int) -> "TokenUseQuerySet":
        """Those of the last so many days, with today."""
        return self.filter(day__gt=timezone.now().date() - timedelta(days=days))

    def by_day(self) -> dict[date, int]:
        """Calls on each day that has one, the denied ones included."""
        return dict(self.order_by().values_list("day").annotate(all=Sum("calls") + Sum("denied")))

    def by_operation(self) -> "models.QuerySet[TokenUse, tuple[str, int]]":
        """(operation, calls) of each operation with a call that was not denied, the most called first."""
        made = self.filter(calls__gt=0).order_by().values_list("operation")
        return made.annotate(all=Sum("calls")).order_by("-all", "operation")

    def by_denied(self) -> "models.QuerySet[TokenUse, tuple[str, int, object]]":
        """(operation, denied calls, last one) of each operation with a denied call, the latest first."""
        denied = self.filter(denied__gt=0).order_by().values_list("operation")
        return denied.annotate(all=Sum("denied"), last=Max("denied_at")).order_by("-last", "operation")

    def first_day(self) -> date | None:
        found: date | None = self.aggregate(first=Min("day"))["first"]
        return found


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

    objects = TokenUseQuerySet.as_manager()

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
