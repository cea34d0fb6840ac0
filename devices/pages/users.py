"""Users: the people to whom devices are assigned."""

from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator
from django.views.decorators.http import require_GET, require_http_methods

from access.pages.dialogs import Dialog, DialogLink, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, fragment, push_url
from access.pages.selection import marks
from access.roles import Capability
from devices.fleet import users as services
from devices.models import User
from devices.pages.device_frame import in_table
from devices.pages.forms.bulk import devices_in_words
from devices.pages.forms.devices import name_of
from devices.pages.forms.users import UserFilter, UserForm
from devices.pages.listing import listing

OFFERED = 10
LONGEST_NAME = 30
NAMED = 5  # devices that a dialog names; it counts the others


@requires(Capability.VIEW)
@require_GET
def user_list(request: PageRequest) -> HttpResponse:
    filters = UserFilter(request.GET, tenant=request.tenant)
    rows = request.tenant.users.counted().select_related("integration")
    page = listing(filters.apply(), rows, request.GET.get("page"))
    context = {
        "page": page,
        "filters": filters,
        "query": urlencode(filters.chosen),
        **marks(request, Capability.EDIT_DEVICES),
        "any_user": page.total > 0 or request.tenant.users.exists(),
    }
    response = fragment(request, "devices/users/list.html", "rows", context)
    return push_url(response, request, filters.chosen, page.number)


@requires(Capability.VIEW)
@require_GET
def options(request: PageRequest) -> HttpResponse:
    """Suggestions for the field `Assigned user` of a device, from the text typed so far."""
    text = request.GET.get("user", "").strip()[:100]
    people = request.tenant.users.filter(Q(email__istartswith=text) | Q(name__icontains=text), archived=False)
    matches = people.order_by("email", "pk")[:OFFERED] if len(text) > 1 else []
    return render(request, "devices/users/options.html", {"users": matches})


@requires(Capability.VIEW)
@require_GET
def user_page(request: PageRequest, user_id: UUID) -> HttpResponse:
    person = get_object_or_404(request.tenant.users.select_related("integration"), uuid=user_id)
    page = listing(person.devices.order_by("name", "pk"), in_table(request), request.GET.get("page"))
    context = {"person": person, "page": page, **marks(request, Capability.EDIT_DEVICES)}
    return render(request, "devices/users/page.html", context)


@requires(Capability.EDIT_USERS)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, user_id: UUID) -> HttpResponse:
    person = get_object_or_404(request.tenant.users.select_related("integration"), uuid=user_id)
    form = UserForm(form_data(request), user=person)
    if request.GET.get("archive"):
        form.initial["archived"] = True
    back = reverse("user", args=[user_id])
    if form.is_valid():
        services.update_user(tenant=request.tenant, user_id=user_id, actor=request.actor, **form.cleaned_data)
        return saved(request, back, "users-changed", "Saved.")
    return show(request, Dialog(f"Edit {person.name}", "Save", back), form)


@requires(Capability.EDIT_USERS)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, user_id: UUID) -> HttpResponse:
    person = get_object_or_404(request.tenant.users.select_related("integration"), uuid=user_id)
    if person.devices.exists():
        return _ask_about_devices(request, person)
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            services.delete_user(tenant=request.tenant, user_id=user_id, actor=request.actor)
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, reverse("users"), "users-changed", f"“{person.name}” is deleted.")
    dialog = Dialog(
        f"Delete “{person.name}”?",
        "Delete user",
        reverse("user", args=[user_id]),
        about="This cannot be undone.",
        danger=True,
        facts={"E-mail": person.email},
    )
    return show(request, dialog, form)


def _ask_about_devices(request: PageRequest, person: User) -> HttpResponse:
    """The dialog for a user who cannot be deleted: the devices, and what can be done about them."""
    count = person.devices.count()
    devices = person.devices.order_by("name", "pk")[:NAMED]
    shown = ((reverse("device", args=[each.uuid]), Truncator(name_of(each)).chars(LONGEST_NAME)) for each in devices)
    names = format_html_join(", ", '<a href="{}">{}</a>', shown)
    more = f" and {count - NAMED:,} more" if count > NAMED else ""
    query = {"from": "user", "of": str(person.uuid), "all": "1"}
    links = [DialogLink("Reassign", reverse("bulk-user", query=query), dialog=True)]
    if not person.archived:
        edit = reverse("user-edit", args=[person.uuid], query={"archive": "1"})
        links.append(DialogLink("Archive", edit, dialog=True))
    form = forms.Form(form_data(request))
    if form.is_bound:  # a device was assigned after the dialog was opened
        form.add_error(None, "Nothing was deleted.")
    dialog = Dialog(
        f"Delete “{person.name or person.email}”?",
        "Delete user",
        reverse("user", args=[person.uuid]),
        about="Devices are assigned to this user. Assign them to somebody else first, or archive the user, who then "
        "stays on the devices.",
        danger=True,
        disabled=True,
        facts={devices_in_words(count).capitalize(): format_html("{}{}", names, more)},
        links=tuple(links),
    )
    return show(request, dialog, form)
