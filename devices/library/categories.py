"""The categories of Self Service.

A tenant starts with the default categories. They become rows once an item refers to one of them, so that reading the
list writes nothing.
"""

from uuid import UUID, uuid5

from access.models import Tenant
from devices.models import SelfServiceCategory
from devices.references import unknown_reference

FIELD = "self_service_category_id"
DEFAULTS = ("Apps", "Productivity", "Utilities", "Security")
_NAMESPACE = UUID("0f5a3c52-5b0c-4d0e-8f0e-3c1f6a7b9d21")


def categories(tenant: Tenant) -> list[SelfServiceCategory]:
    """The tenant's categories in their order; the unsaved default ones if the tenant has no rows."""
    return list(tenant.self_service_categories.order_by("position", "pk")) or _defaults(tenant)


def get(tenant: Tenant, id: UUID) -> SelfServiceCategory:
    """The saved category with this id, for an item that refers to it. Raises ValidationError if there is none."""
    stored = tenant.self_service_categories
    if (category := stored.filter(uuid=id).first()) is None and id in {each.uuid for each in _defaults(tenant)}:
        if not stored.exists():
            SelfServiceCategory.objects.bulk_create(_defaults(tenant), ignore_conflicts=True)
        category = stored.filter(uuid=id).first()
    if category is None:
        raise unknown_reference(FIELD, id)
    return category


def _defaults(tenant: Tenant) -> list[SelfServiceCategory]:
    """The default categories. Their ids are always the same, so that a client can send an id from the list."""
    return [
        SelfServiceCategory(tenant=tenant, uuid=uuid5(_NAMESPACE, f"{tenant.pk} {name}"), name=name, position=position)
        for position, name in enumerate(DEFAULTS)
    ]
