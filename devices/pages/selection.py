"""The devices and Library items that a person selected in a list."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse

from access.models import Tenant
from access.pages.guards import PageRequest
from access.pages.selection import Selection, selection_of, ticked
from devices.library.statuses import Listed, item_with_contents
from devices.models import Device, LibraryItem
from devices.models.devices import DeviceQuerySet
from devices.pages.forms.blueprints import BlueprintFilter
from devices.pages.forms.devices import DeviceFilter
from devices.pages.forms.library import LibraryFilter
from devices.pages.forms.users import UserFilter
from devices.text import as_words


def selected_devices(request: PageRequest) -> Selection[Device]:
    """The selected devices of the list of devices, or of the place that the parameter `from` of the URL names.

    With `users` and `blueprints` they are the devices of the selected rows. `user`, `vulnerability` and `item` are the
    lists on the page of one object, whose id is the parameter `of`.
    """
    tenant, place = request.tenant, request.GET.get("from", "")
    if place in _PAGES:
        return _of_page(request, *_PAGES[place](request, request.GET.get("of", "")))
    if place == "users":
        people = UserFilter(request.GET, tenant=tenant)
        chosen = selection_of(request, people, people.apply, tenant.users.order_by("name", "pk"), "users")
        return _devices_of(tenant, "user", chosen, "users")
    if place == "blueprints":
        filters = BlueprintFilter(request.GET, tenant=tenant)
        rows = tenant.blueprints.order_by("name", "pk")
        return _devices_of(
            tenant, "blueprint", selection_of(request, filters, filters.apply, rows, place), "Blueprints"
        )
    device_filters = DeviceFilter(request.GET, tenant=tenant)
    return selection_of(request, device_filters, device_filters.apply, tenant.devices.order_by("name", "pk"), "devices")


def selected_items(request: PageRequest) -> Selection[LibraryItem]:
    items, filters = request.tenant.library_items, LibraryFilter(request.GET, tenant=request.tenant)
    return selection_of(request, filters, filters.apply, items.order_by("name", "pk"), "library")


def _devices_of(tenant: Tenant, field: str, chosen: Selection[Any], noun: str) -> Selection[Device]:
    devices = tenant.devices.filter(**{f"{field}__in": chosen.targets.order_by().values("pk")}).order_by("name", "pk")
    return Selection(devices, f"Devices of {noun}: {chosen.words}", chosen.query, chosen.back)


def _of_page(request: PageRequest, devices: DeviceQuerySet, name: str, back: str) -> Selection[Device]:
    query, ordered = request.GET.urlencode(), devices.order_by("name", "pk")
    if request.GET.get("all"):
        return Selection(ordered, f"All devices of {name}", query, back)
    return Selection(ticked(request, ordered), f"Selected devices of {name}", query, back)


def _of_user(request: PageRequest, id: str) -> tuple[DeviceQuerySet, str, str]:
    person = get_object_or_404(request.tenant.users, uuid=_uuid(id))
    return request.tenant.devices.filter(user=person), person.name or person.email, reverse("user", args=[person.uuid])


def _of_vulnerability(request: PageRequest, cve_id: str) -> tuple[DeviceQuerySet, str, str]:
    tenant = request.tenant
    found = get_object_or_404(tenant.vulnerabilities, cve_id=cve_id)
    active = tenant.vulnerability_detections.filter(vulnerability=found, remediated_at=None)
    devices = tenant.devices.filter(pk__in=active.values("device"))
    return devices, found.cve_id, reverse("vulnerability", args=[found.cve_id])


def _of_item(request: PageRequest, id: str) -> tuple[DeviceQuerySet, str, str]:
    status = request.GET.get("status", "")
    try:
        item = item_with_contents(request.tenant, _uuid(id))
    except LibraryItem.DoesNotExist:
        raise Http404 from None
    name = f"{item.name} with the status {as_words(status)}" if status else item.name
    return Listed(item, status=status).devices(), name, reverse("library-item-devices", args=[item.uuid])


_PAGES: dict[str, Callable[[PageRequest, str], tuple[DeviceQuerySet, str, str]]] = {
    "user": _of_user,
    "vulnerability": _of_vulnerability,
    "item": _of_item,
}


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
