"""The devices and Library items that a person selected in a list."""

from access.pages.guards import PageRequest
from access.pages.selection import Selection, selection_of
from devices.models import Device, LibraryItem
from devices.pages.forms.devices import DeviceFilter
from devices.pages.forms.library import LibraryFilter
from devices.pages.forms.users import UserFilter


def selected_devices(request: PageRequest) -> Selection[Device]:
    """The selected devices, or those of the selected users if the URL has `from=users`."""
    tenant = request.tenant
    if request.GET.get("from") != "users":
        device_filters = DeviceFilter(request.GET, tenant=tenant)
        devices = tenant.devices.order_by("name", "pk")
        return selection_of(request, device_filters, device_filters.apply, devices, "devices")
    filters = UserFilter(request.GET, tenant=tenant)
    people = selection_of(request, filters, filters.apply, tenant.users.order_by("name", "pk"), "users")
    devices = tenant.devices.filter(user__in=people.targets.order_by().values("pk")).order_by("name", "pk")
    return Selection(devices, f"Devices of users: {people.words}", people.query, people.back)


def selected_items(request: PageRequest) -> Selection[LibraryItem]:
    items, filters = request.tenant.library_items, LibraryFilter(request.GET, tenant=request.tenant)
    return selection_of(request, filters, filters.apply, items.order_by("name", "pk"), "library")
