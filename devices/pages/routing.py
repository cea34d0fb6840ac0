"""Blueprint routing: the page with its enrollment code, by which devices enroll without naming a Blueprint."""

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data
from access.roles import Capability
from devices.enrollment import routing as services
from devices.pages.blueprint_enrollment import enrollment
from devices.pages.forms.blueprints import CodeForm


@requires(Capability.VIEW)
@require_GET
def page(request: PageRequest) -> HttpResponse:
    context = enrollment(request, services.routing_of(request.tenant))
    return render(request, "devices/blueprints/routing.html", context)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest) -> HttpResponse:
    routing = services.routing_of(request.tenant)
    form = CodeForm(form_data(request), initial={name: getattr(routing, name) for name in CodeForm.base_fields})
    form.fields["enrollment_code"].help_text = "People type this code to enroll a device. Empty: six random digits."
    if form.is_valid():
        fields = form.cleaned_data
        try:
            services.update_routing(
                tenant=request.tenant,
                actor=request.actor,
                enrollment_code=fields["enrollment_code"] or None,
                enrollment_code_active=fields["enrollment_code_active"],
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, reverse("routing"), "blueprints-changed", "Saved.")
    return show(request, Dialog("Edit Blueprint routing", "Save", reverse("routing")), form)
