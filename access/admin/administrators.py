"""Administrators of the tenants, and operators. Each change leaves the event that the pages leave."""

from collections.abc import Callable
from functools import partial
from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from access.admin.base import AskingModelForm, ReadOnly, operator
from access.admin.passwords import SENSITIVE, ChosenPassword, confirm_own_password
from access.admin.questions import ConfirmedForm, Question, answered, ask
from access.models import Administrator, Role, Tenant
from access.people.administrators import (
    create_administrator,
    delete_administrator,
    edit_administrator,
    suspend_administrator,
    transfer_ownership,
    unsuspend_administrator,
)
from access.people.invitations import resend_invitation, send_invitation
from access.sign_in.authenticators import SECOND_STEPS, take_away
from access.sign_in.reauthentication import authenticated_recently

WITHOUT = (
    "Their authenticator apps, passkeys and recovery codes are removed, and their sessions end. They sign in with "
    "their password alone until they set up two-step verification again."
)
REMOVED = (
    "They can no longer sign in, and they are deleted. This cannot be undone. Tokens that they created stay in force."
)
TRANSFERRED = "The person becomes the Account Owner, and the owner until now an Admin. The sessions of both end."
LEVELS = [(role.value, role.label) for role in Role if role != Role.OWNER]  # the ownership is transferred


class NewAdministrator(ChosenPassword, AskingModelForm):
    """Without a password the person gets an invitation by mail."""

    tenant = forms.ModelChoiceField(Tenant.objects.all(), to_field_name="subdomain", widget=forms.TextInput)
    role = forms.ChoiceField(label="Access level", choices=Role.choices, initial=Role.ADMIN)

    class Meta:
        model = Administrator
        fields = ["tenant", "email", "first_name", "last_name", "role", "password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].help_text = "The subdomain of the person's organization."
        self.fields["tenant"].error_messages["invalid_choice"] = "No tenant has this subdomain."

    def validate_constraints(self) -> None:
        """The room does it, and says it in words. Django would name the constraint."""


class LevelForm(ConfirmedForm):
    role = forms.ChoiceField(label="New access level", choices=LEVELS, initial=Role.STANDARD)

    field_order = ["role", "password"]


@admin.register(Administrator)
class AdministratorAdmin(ReadOnly):
    noun, nouns = "administrator", "administrators"
    target_type = "user"
    list_display = ["email", "name", "tenant", "level", "state", "two_steps", "last_login"]
    list_filter = ["role", "is_active", "is_staff"]
    list_select_related = ["tenant"]
    search_fields = ["email", "first_name", "last_name", "tenant__name"]
    fields = [
        "tenant", "email", "first_name", "last_name", "level", "state", "two_steps", "last_login", "created_at",
    ]  # fmt: skip
    actions = [
        "invite_again", "suspend", "unsuspend", "change_role", "transfer", "take_away_authenticators", "remove",
    ]  # fmt: skip
    buttons = {
        "invite_again": "Send invitation again",
        "change_role": "Change access level",
        "transfer": "Make Account Owner",
        "take_away_authenticators": "Remove authenticators",
        "unsuspend": "Unsuspend",
        "suspend": "Suspend",
        "remove": "Remove",
    }
    dangerous = frozenset({"suspend", "remove"})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.add_administrator")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.delete_administrator")

    def has_change_person_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.change_administrator")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Administrator]:
        second_steps = Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_STEPS)
        people: QuerySet[Administrator] = super().get_queryset(request)
        return people.annotate(has_two_steps=Exists(second_steps))

    def get_fields(self, request: HttpRequest, obj: Administrator | None = None) -> Any:
        if obj:
            return self.fields
        return [*NewAdministrator.Meta.fields, *([] if authenticated_recently(request) else ["own_password"])]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewAdministrator.for_request(request)
        return super().get_form(request, obj, change, **kwargs)

    def may_offer(self, name: str, obj: Administrator) -> bool:
        if obj.tenant is None:
            return name == "take_away_authenticators"
        owner = obj.role == Role.OWNER
        match name:
            case "invite_again":
                return obj.status == "pending"
            case "transfer":
                return obj.role == Role.ADMIN and obj.status == "active"
            case "change_role":
                return not owner
            case "suspend":
                return obj.is_active and not owner
            case "unsuspend":
                return not obj.is_active
            case "remove":
                return not obj.is_active and not owner
        return True

    @method_decorator(sensitive_post_parameters(*SENSITIVE))
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's page. A password for another person requires the operator's own. Raises TooManyAttempts."""
        confirm_own_password(request)
        return super().add_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Administrator, form: Any, change: bool) -> None:
        fields = form.cleaned_data
        person = create_administrator(
            tenant=fields["tenant"],
            email=fields["email"],
            role=Role(fields["role"]),
            first_name=fields["first_name"],
            last_name=fields["last_name"],
            password=fields["password"] or None,
            actor=operator(request),
        )
        if not fields["password"]:
            send_invitation(person, request.get_host())
        obj.pk = person.pk

    @admin.display(description="Access level", ordering="role")
    def level(self, person: Administrator) -> str:
        return person.get_role_display() if person.tenant_id else "Operator"

    @admin.display(description="Status")
    def state(self, person: Administrator) -> str:
        return person.status.capitalize()

    @admin.display(description="Two-step verification")
    def two_steps(self, person: Any) -> str:
        return "On" if person.has_two_steps else "Off"

    @admin.action(description="Send the invitation again", permissions=["change_person"])
    def invite_again(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> None:
        self._each(request, queryset, partial(resend_invitation, host=request.get_host()), "is invited again")

    @admin.action(description="Suspend", permissions=["change_person"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> HttpResponse | None:
        about = "They are signed out everywhere and cannot sign in. API tokens that they created stay active."
        question = Question("Suspend administrators?", about, "Suspend", _named(queryset))
        if not answered(request):
            return ask(self, request, queryset, question)
        self._each(request, queryset, suspend_administrator, "is suspended")
        return None

    @admin.action(description="Unsuspend", permissions=["change_person"])
    def unsuspend(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> None:
        self._each(request, queryset, unsuspend_administrator, "can sign in again")

    @admin.action(description="Change the access level", permissions=["change_person"])
    def change_role(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> HttpResponse | None:
        """Ask for the new level. The sessions of a person end when it changes."""
        form = answered(request, LevelForm)
        if form is None:
            about = "Their open sessions end. They sign in again, with the rights of the new level."
            title = "Change the access level?"
            question = Question(title, about, "Change level", _named(queryset), danger=False)
            return ask(self, request, queryset, question, LevelForm)

        def change(tenant: Tenant, person_id: Any, actor: Any) -> Administrator:
            person = tenant.administrators.get(pk=person_id)
            names = {"first_name": person.first_name, "last_name": person.last_name}
            role = form.cleaned_data["role"]
            return edit_administrator(tenant=tenant, person_id=person_id, role=role, actor=actor, **names)

        done = f"now has the access level {Role(form.cleaned_data['role']).label}"
        self._each(request, queryset, change, done)
        return None

    @admin.action(description="Make the Account Owner", permissions=["change_person"])
    def transfer(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> HttpResponse | None:
        """Ask first, naming the Account Owner until now, who becomes an Admin."""
        if not answered(request, ConfirmedForm):
            question = Question("Transfer the ownership?", TRANSFERRED, "Transfer ownership", _in_place(queryset))
            return ask(self, request, queryset, question, ConfirmedForm)
        self._each(request, queryset, transfer_ownership, "is the Account Owner")
        return None

    @admin.action(description="Remove the authenticators", permissions=["change_person"])
    def take_away_authenticators(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> HttpResponse | None:
        if not answered(request, ConfirmedForm):
            question = Question("Remove authenticators?", WITHOUT, "Remove authenticators", _named(queryset))
            return ask(self, request, queryset, question, ConfirmedForm)
        for person in queryset.select_related("tenant"):
            if person == request.user:
                self.message_user(request, "Change your own on your account page.", messages.ERROR)
            else:
                take_away(person=person, actor=operator(request))
                self.message_user(request, f"{person.name} signs in without a second step now.")
        return None

    @admin.action(description="Remove", permissions=["remove"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> HttpResponse | None:
        """Ask first, naming the people and their tokens; then remove them."""
        if not answered(request):
            lines = [_after_removal(person) for person in _with_tokens(queryset)]
            return ask(self, request, queryset, Question("Remove administrators?", REMOVED, "Remove", lines))
        self._each(request, queryset, delete_administrator, "is removed. Their tokens stay in force")
        return None

    def _each(
        self, request: HttpRequest, people: QuerySet[Administrator], change: Callable[..., Any], done: str
    ) -> None:
        """Make the change for each person, and say of each what became of it."""
        for person in people.select_related("tenant"):
            try:
                if person.tenant is None:
                    raise ValidationError("Operators belong to no tenant.")
                change(tenant=person.tenant, person_id=person.pk, actor=operator(request))
            except ValidationError as error:
                self.message_user(request, f"{person.name}: {' '.join(error.messages)}", messages.ERROR)
            else:
                self.message_user(request, f"{person.name} {done}.")


def _named(people: QuerySet[Administrator]) -> list[str]:
    return [_name(person) for person in people.select_related("tenant")]


def _name(person: Administrator) -> str:
    level = f"{person.get_role_display()} of {person.tenant}" if person.tenant else "operator"
    return f"{person.name} ({person.email}), {level}"


def _in_place(people: QuerySet[Administrator]) -> list[str]:
    """Each person with the owner in whose place they would be."""
    lines = []
    for person in people.select_related("tenant"):
        owner = person.tenant.administrators.filter(role=Role.OWNER).first() if person.tenant else None
        lines.append(f"{_name(person)}, in place of {owner.name}" if owner else _name(person))
    return lines


def _with_tokens(people: QuerySet[Administrator]) -> QuerySet[Any]:
    live = Count("created_tokens", filter=Q(created_tokens__revoked_at__isnull=True))
    return people.select_related("tenant").annotate(live_tokens=live)


def _after_removal(person: Any) -> str:
    line = f"{_name(person)}:"
    if not person.tenant or person.role == Role.OWNER:
        return f"{line} stays"
    if person.is_active:
        return f"{line} stays, because only suspended people are removed"
    return f"{line} {person.live_tokens} token{'' if person.live_tokens == 1 else 's'} in force"
