"""Categories by name, and the number of rows of each."""

from django.core.exceptions import ValidationError

from access.models import Tenant
from devices.models import PrismTotal
from devices.models.prism.categories import CATEGORIES, EXPORT_ONLY


def category_named(name: str) -> str:
    """The name of a category that can be counted and exported. Raises ValidationError for any other name."""
    if name not in CATEGORIES and name != EXPORT_ONLY:
        raise ValidationError(f"Invalid category: {name}")
    return name


def count_of(tenant: Tenant, category: str) -> int:
    totals = PrismTotal.objects.filter(tenant=tenant, category=category)
    return totals.values_list("row_count", flat=True).first() or 0
