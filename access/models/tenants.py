from itertools import chain, count
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from access.limits.gcra import Limits

MOST_CALLS = 1_000_000_000


class Tenant(models.Model):
    """One organization. Every other row belongs to exactly one tenant."""

    name = models.CharField(max_length=100)
    subdomain = models.CharField(
        max_length=63,
        unique=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z",
                "Use lower-case letters, digits and hyphens; start and end with a letter or digit.",
            )
        ],
    )
    # The host of the devices is made of it. Devices refuse a profile that names another host than the one they enrolled
    # with, so it never changes.
    mdm_label = models.CharField(max_length=63, unique=True, editable=False)
    active = models.BooleanField(
        default=True,
        help_text="An inactive tenant's API host answers 404 and its tokens are refused.",
    )
    longest_token_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="Tokens must expire within so many days; empty for no rule.",
    )
    second_step_required = models.BooleanField(
        default=False,
        help_text="Administrators use no page before they have set up two-step verification.",
    )
    calls_per_hour = models.PositiveIntegerField(
        "calls an hour",
        default=10_000,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CALLS)],
        help_text="Calls of the API and of AI assistants, of all tokens together. A call beyond is answered 429.",
    )
    calls_per_second = models.PositiveIntegerField(
        "calls a second",
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CALLS)],
        help_text="The same, within a second.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # From then on it cannot be resumed, because a part of it may be gone.
    deletion_began_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["subdomain"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.mdm_label:
            # A former tenant of this subdomain may still have devices out there.
            taken = set(Tenant.objects.filter(mdm_label__startswith=self.subdomain).values_list("mdm_label", flat=True))
            labels = chain([self.subdomain], (f"{self.subdomain[:58]}-{number}" for number in count(2)))
            self.mdm_label = next(label for label in labels if label not in taken)
        super().save(*args, **kwargs)

    @property
    def limits(self) -> Limits:
        """How many calls the tenant may make."""
        return Limits(self.calls_per_second, self.calls_per_hour)

    @property
    def api_host(self) -> str:
        """Host of this tenant's API, with the port if it is not the default of the scheme."""
        port = f":{settings.IRU_PORT}" if settings.IRU_PORT else ""
        return f"{self.subdomain}.api.{settings.IRU_DOMAIN}{port}"

    @property
    def api_origin(self) -> str:
        return f"{settings.IRU_SCHEME}://{self.api_host}"

    @property
    def api_url(self) -> str:
        """Base URL that an integration is configured with."""
        return f"{self.api_origin}/api/v1"

    @property
    def mdm_host(self) -> str:
        """Host that the tenant's devices speak with, with the port if it is not the default of the scheme."""
        port = f":{settings.IRU_PORT}" if settings.IRU_PORT else ""
        return f"{self.mdm_label}.mdm.{settings.IRU_DOMAIN}{port}"

    @property
    def mcp_url(self) -> str:
        """Address that an AI assistant is configured with."""
        return f"{self.api_origin}/mcp"
