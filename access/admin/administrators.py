"""Administrators of the tenants, and operators."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from access.admin.base import AskingModelForm, ReadOnly, operator
from access.models import Administrator, Role, Tenant
from access.people.administrators import (
    create_administrator,
    delete_administrator,
    suspend_administrator,
    unsuspend_administrator,
)
from access.people.invitations import resend_invitation, send_invitation
from access.sign_in.authenticators import take_away
from access.sign_in.reauthentication import authenticated_recently, confirm_password


class NewAdministrator(AskingModelForm):
    """Without a password the person gets an invitation by mail."""

    tenant = forms.ModelChoiceField(Tenant.objects.all())
    role = forms.ChoiceField(choices=Role.choices, initial=Role.ADMIN)
    password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Leave it empty to mail the person an invitation, with a link to choose one.",
    )
    own_password = forms.CharField(
        label="Your own password",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="You signed in a while ago. It is required if you choose a password for the person.",
    )

    confirmed: bool  # whether the operator's own password was given recently; set by AdministratorAdmin.get_form

    class Meta:
        model = Administrator
        fields = ["tenant", "email", "first_name", "last_name", "role", "password"]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()

    def clean(self) -> None:
        super().clean()
        if password := self.cleaned_data.get("password"):
            if not self.confirmed:
                given = self.cleaned_data.get("own_password")
                self.add_error("own_password", "That is not your password." if given else "Enter your password.")
            names = ("email", "first_name", "last_name")
            person = Administrator(**{name: self.cleaned_data.get(name, "") for name in names})
            try:
                validate_password(password, person)  # the service checks it too: it must not resemble the name
            except ValidationError as error:
                self.add_error("password", error)


@admin.register(Administrator)
class AdministratorAdmin(ReadOnly):
    list_display = ["email", "name", "tenant", "role", "status", "is_staff", "last_login"]
    list_filter = ["role", "is_active", "is_staff"]
    list_select_related = ["tenant"]
    search_fields = ["email", "first_name", "last_name", "tenant__name"]
    fields = ["tenant", "email", "first_name", "last_name", "role", "status", "is_staff", "last_login", "created_at"]
    actions = ["invite_again", "suspend", "unsuspend", "take_away_authenticators", "remove"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.add_administrator")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.delete_administrator")

    def get_fields(self, request: HttpRequest, obj: Administrator | None = None) -> Any:
        if obj:
            return self.fields
        return [*NewAdministrator.Meta.fields, *([] if authenticated_recently(request) else ["own_password"])]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:

            class Form(NewAdministrator):
                confirmed = authenticated_recently(request)

            kwargs["form"] = Form
        return super().get_form(request, obj, change, **kwargs)

    @method_decorator(sensitive_post_parameters("password", "own_password"))
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's page. A password for another person requires the operator's own. Raises TooManyAttempts."""
        # Checked before Django's transaction, which would hold the database while the password is hashed.
        own = request.POST.get("own_password")
        if own and request.POST.get("password") and not authenticated_recently(request):
            confirm_password(request, own)
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

    @admin.action(description="Send the invitation again", permissions=["change_person"])
    def invite_again(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> None:
        self._each(request, queryset, partial(resend_invitation, host=request.get_host()), "is invited again")

    @admin.action(description="Suspend the selected administrators", permissions=["change_person"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> None:
        self._each(request, queryset, suspend_administrator, "is suspended")

    @admin.action(description="Unsuspend the selected administrators", permissions=["change_person"])
    def unsuspend(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> None:
        self._each(request, queryset, unsuspend_administrator, "can sign in again")

    @admin.action(description="Remove the authenticators of the selected administrators", permissions=["change_person"])
    def take_away_authenticators(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> None:
        for person in queryset.select_related("tenant"):
            if person == request.user:
                self.message_user(request, "Change your own on your account page.", messages.ERROR)
            else:
                take_away(person=person, actor=operator(request))
                self.message_user(request, f"{person.name} signs in without a second step now.")

    def has_change_person_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.change_administrator")

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

    @admin.action(description="Remove the selected administrators", permissions=["remove"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Administrator]) -> HttpResponse | None:
        """Ask first, naming the people and their tokens; then remove them."""
        queryset = queryset.select_related("tenant")
        if "confirmed" not in request.POST:
            live = Count("created_tokens", filter=Q(created_tokens__revoked_at__isnull=True))
            context = {
                **self.admin_site.each_context(request),
                "title": "Remove administrators?",
                "opts": self.opts,
                "people": queryset.annotate(live_tokens=live),
            }
            return TemplateResponse(request, "admin/access/administrator/remove.html", context)
        self._each(request, queryset, delete_administrator, "is removed. Their tokens stay in force")
        return None
