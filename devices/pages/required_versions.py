"""The version of the system that a Blueprint requires: the card of its page, and the dialog that changes it."""

from dataclasses import dataclass
from datetime import time
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data
from access.roles import Capability
from devices.blueprints.required_versions import Family, require_no_version, require_version
from devices.models import Blueprint, RequiredVersion
from devices.pages.forms.required_versions import RequiredVersionForm

END_OF_WORK = time(18)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A line of the card. `row` is None where no version is required."""

    label: str
    row: RequiredVersion | None
    url: str


def requirements(blueprint: Blueprint) -> list[Requirement]:
    rows = {row.family: row for row in blueprint.required_versions.all()}
    return [
        Requirement(
            family.label, rows.get(family), reverse("blueprint-required-version", args=[blueprint.uuid, family])
        )
        for family in Family
    ]


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, blueprint_id: UUID, family: str) -> HttpResponse:
    if family not in Family:
        raise Http404
    kind = Family(family)
    blueprint = get_object_or_404(request.tenant.blueprints.counted(), uuid=blueprint_id)
    form = RequiredVersionForm(form_data(request), initial=_initial(blueprint, kind))
    back = reverse("blueprint", args=[blueprint_id])
    if form.is_valid():
        whose: dict[str, Any] = {"tenant": request.tenant, "blueprint_id": blueprint_id, "family": kind}
        try:
            if form.cleaned_data["version"]:
                require_version(**whose, **form.cleaned_data, actor=request.actor)
            else:
                require_no_version(**whose, actor=request.actor)
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, "blueprints-changed", "Saved.")
    about = (
        "A device with an older version offers the update to its user, and installs it by itself when the deadline is "
        "over. It has to be supervised if it is a Mac, and to have macOS 14, iOS 17 or iPadOS 17."
    )
    return show(request, Dialog(f"Required version of {kind.label}", "Save", back, about=about), form)


def _initial(blueprint: Blueprint, family: Family) -> dict[str, Any]:
    row = blueprint.required_versions.filter(family=family).first()
    return {"version": row.version, "date": row.date, "time": row.time} if row else {"time": END_OF_WORK}
