"""Access → Admin and authentication: the team members, and what one administrator changes about another."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.audit.events import Actor
from access.models import Administrator, IdentityProvider, Role
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.forms.account import TakeAwayForm
from access.pages.forms.password import ReauthenticationForm
from access.pages.forms.people import EditPersonForm, NewPersonForm, PeopleFilter, SecondStepRuleForm
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data, fragment, push_url
from access.people import administrators as services
from access.people.confirmation import lasting_actor
from access.people.invitations import invite_administrator, resend_invitation
from access.people.tenants import require_second_step
from access.roles import Capability
from access.sign_in.authenticators import authenticators_of

PER_PAGE = 50
LIVE_TOKENS = 10  # that the dialog before a deletion lists; it counts the others


@manages_access
@require_GET
def people_list(request: PageRequest) -> HttpResponse:
    filters = PeopleFilter(request.GET, tenant=request.tenant)
    page = Paginator(filters.apply(), PER_PAGE).get_page(request.GET.get("page"))
    provider = IdentityProvider.objects.filter(tenant=request.tenant).first()
    context = {"page": page, "filters": filters, "query": urlencode(filters.chosen), "provider": provider}
    piece = "rows" if request.htmx.target == "rows" else "content"
    response = fragment(request, "access/people/list.html", piece, context)
    return push_url(response, request, filters.chosen, page.number)


@manages_access
@require_http_methods(["GET", "POST"])
def create(request: PageRequest) -> HttpResponse:
    form = NewPersonForm(form_data(request), request=request)
    if form.is_valid():
        values = {name: form.cleaned_data[name] for name in ("first_name", "last_name", "email", "role")}
        try:
            person = invite_administrator(
                tenant=request.tenant, actor=_actor(request), host=request.get_host(), **values
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _changed(request, f"An invitation is on its way to {person.email}. The link works for 24 hours.")
    return show(request, Dialog("New user", "Submit", reverse("people")), form)


@manages_access
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, person_id: uuid.UUID) -> HttpResponse:
    person = _person(request, person_id)
    form = EditPersonForm(form_data(request), person=person, request=request)
    if form.is_valid():
        try:
            edited = services.edit_administrator(
                tenant=request.tenant, person_id=person_id, actor=_actor(request), **form.values
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _changed(request, f"{edited.name} is saved.")
    facts = {"E-mail": person.email}
    if person.role == Role.OWNER:
        facts["Access level"] = person.get_role_display()
    return show(request, Dialog("Edit user", "Save", reverse("people"), facts=facts), form)


@manages_access
@require_http_methods(["GET", "POST"])
def suspend(request: PageRequest, person_id: uuid.UUID) -> HttpResponse:
    dialog = Dialog(
        "Suspend {}?",
        "Suspend",
        reverse("people"),
        about="The person is signed out everywhere and cannot sign in. API tokens they created stay active.",
    )
    done = "{} is suspended and signed out. API tokens they created stay active."
    return _ask(request, person_id, dialog, services.suspend_administrator, done)


@manages_access
@require_http_methods(["GET", "POST"])
def unsuspend(request: PageRequest, person_id: uuid.UUID) -> HttpResponse:
    about = "The person can sign in again, with the access level of before."
    dialog = Dialog("Unsuspend {}?", "Unsuspend", reverse("people"), about=about)
    return _ask(request, person_id, dialog, services.unsuspend_administrator, "{} can sign in again.")


@manages_access
@require_http_methods(["GET", "POST"])
def resend(request: PageRequest, person_id: uuid.UUID) -> HttpResponse:
    dialog = Dialog(
        "Send {} another invitation?",
        "Resend invite",
        reverse("people"),
        about="The new link works for 24 hours. The one before it stops working.",
    )

    def send(**values: Any) -> Administrator:
        return resend_invitation(host=request.get_host(), **values)

    return _ask(request, person_id, dialog, send, "Another invitation is on its way to {}.")


@manages_access
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, person_id: uuid.UUID) -> HttpResponse:
    """Ask, with the live tokens of the person, which stay active; then delete the person."""
    person = _person(request, person_id)
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            services.delete_administrator(tenant=request.tenant, person_id=person_id, actor=_actor(request))
        except ValidationError as error:
            refuse(form, error)
        else:
            return _changed(request, f"{person.name} is deleted. API tokens they created stay active.")
    tokens = request.tenant.api_tokens.listed().filter(created_by=person)
    context = {"form": form, "person": person, "tokens": tokens[:LIVE_TOKENS], "token_count": tokens.count()}
    status = 422 if form.is_bound else 200
    return fragment(request, "access/people/delete.html", "form", context, status=status)


@manages_access
@require_http_methods(["GET", "POST"])
def transfer(request: PageRequest, person_id: uuid.UUID) -> HttpResponse:
    person = _person(request, person_id)
    form = ReauthenticationForm(form_data(request), request=request)
    if form.is_valid():
        try:
            services.transfer_ownership(tenant=request.tenant, person_id=person_id, actor=_actor(request))
        except ValidationError as error:
            refuse(form, error)
        else:
            request.user.refresh_from_db()
            update_session_auth_hash(request, request.user)  # the other sessions of this person end
            return _changed(request, f"{person.name} is the Account Owner now, and you are an Admin.")
    dialog = Dialog(
        f"Transfer the ownership to {person.name}?",
        "Transfer Ownership",
        reverse("people"),
        about="You become an Admin. Only the new Account Owner can give the ownership back.",
        danger=True,
        facts={"E-mail": person.email},
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def authenticators(request: PageRequest, person_id: uuid.UUID) -> HttpResponse:
    """Remove second steps of a person who lost them. For the Account Owner."""
    person = _person(request, person_id)
    if request.user.role != Role.OWNER or person == request.user:
        raise PermissionDenied
    rows = authenticators_of(person).removable
    form = TakeAwayForm(form_data(request), request=request, rows=rows)
    if not rows:
        form.fields.clear()
    elif form.is_valid():
        ids = [int(each) for each in form.cleaned_data["authenticators"]]
        try:
            services.take_away_authenticators(
                tenant=request.tenant, person_id=person_id, ids=ids, actor=_actor(request)
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _changed(request, f"{person.name} is signed out, and can sign in without what you removed.")
    about = "For a person who lost a phone or a passkey. They are signed out everywhere."
    dialog = Dialog(
        "Manage authenticators",
        "Remove" if rows else "",
        reverse("people"),
        about=about if rows else "This person has set up no authenticator.",
        danger=True,
        facts={"User": person.name, "E-mail": person.email},
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def second_step_rule(request: PageRequest) -> HttpResponse:
    tenant = request.tenant
    initial = {"required": str(int(tenant.second_step_required))}
    form = SecondStepRuleForm(form_data(request), request=request, initial=initial)
    if form.is_valid():
        required = form.cleaned_data["required"] == "1"
        require_second_step(tenant=tenant, required=required, actor=_actor(request))
        words = "required for everyone" if required else "optional"
        return _changed(request, f"Two-step verification is {words}.")
    about = "Where it is required, people without it are led to set it up with their next page, and can open no other."
    return show(request, Dialog("Two-step verification", "Save", reverse("people"), about=about), form)


def _ask(
    request: PageRequest, person_id: uuid.UUID, dialog: Dialog, change: Callable[..., Administrator], done: str
) -> HttpResponse:
    """Show the dialog, and make the change once it is confirmed. `{}` in its title and in `done` is the name."""
    person = _person(request, person_id)
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            change(tenant=request.tenant, person_id=person_id, actor=_actor(request))
        except ValidationError as error:
            refuse(form, error)
        else:
            return _changed(request, done.format(person.name))
    return show(request, replace(dialog, title=dialog.title.format(person.name), facts={"E-mail": person.email}), form)


def _changed(request: PageRequest, notice: str) -> HttpResponse:
    return saved(request, reverse("people"), "people-changed", notice, in_place=True)


def _person(request: PageRequest, person_id: uuid.UUID) -> Administrator:
    person: Administrator = get_object_or_404(request.tenant.administrators, pk=person_id)
    return person


def _actor(request: PageRequest) -> Actor:
    """The author, whose right is looked at again under the lock: of two who suspend each other, one is refused."""
    return lasting_actor(
        administrator=request.user,
        tenant=request.tenant,
        capability=Capability.MANAGE_ACCESS,
        address=request.actor.address,
    )
