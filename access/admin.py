"""Django admin of tenants, administrators, tokens and audit events. Changes go through the services."""

from collections.abc import Callable
from functools import partial
from typing import Any

import allauth.account.admin
import allauth.mfa.admin
import allauth.socialaccount.admin  # noqa: F401 - the same
import django.contrib.auth.admin  # noqa: F401 - the same
import django_tasks_db.admin  # noqa: F401 - the same
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.core import context as current
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters
from django_tasks_db.models import DBTaskResult

from access.addresses import client_address
from access.audit.events import Actor
from access.models import Administrator, ApiToken, AuditEvent, Role, Tenant
from access.pages.forms.asking import Asking
from access.people.administrators import (
    create_administrator,
    delete_administrator,
    suspend_administrator,
    unsuspend_administrator,
)
from access.people.invitations import resend_invitation, send_invitation
from access.people.tenants import create_tenant, edit_tenant
from access.sign_in.authenticators import take_away
from access.sign_in.passwords import change_password
from access.sign_in.reauthentication import authenticated_recently, confirm_password
from access.tokens.lifecycle import revoke_token

# Permissions follow from roles, each person has one e-mail address, tasks are shown by a class of ours, and
# authenticators are changed by their person.
admin.site.unregister([Group, EmailAddress, DBTaskResult, Authenticator, SocialAccount, SocialApp, SocialToken])
admin.site.site_header = admin.site.site_title = "Iru Endpoint"
admin.site.index_title = "Operation"
# Operators use the sign-in page of everybody, where attempts are counted.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
FITS = 40  # characters of a value on two lines of a column
_change_own_password = admin.site.password_change


class OwnPasswordForm(Asking, AdminPasswordChangeForm):
    """Django's form. The new password is set by our function, which writes the audit event."""

    def save(self, commit: bool = True) -> Any:
        change_password(
            person=self.user,
            password=self.cleaned_data["new_password1"],
            actor=Actor.of(self.user),
            address=client_address(current.request),
        )
        return self.user


def change_own_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's page, with the old password counted as an attempt. Raises TooManyAttempts like a sign-in."""
    if request.method == "POST":
        confirm_password(request, request.POST.get("old_password", ""))
    return _change_own_password(request, extra_context)


admin.site.password_change_form = OwnPasswordForm
admin.site.password_change = change_own_password  # type: ignore[method-assign, assignment]


class AskingModelForm(Asking, forms.ModelForm):  # type: ignore[type-arg] # the same
    pass


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg] # generic only in its stubs
    """An admin that shows, searches and filters, and does not add, change or delete."""

    form = AskingModelForm
    show_full_result_count = False
    list_per_page = 50

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Django's columns. Texts and names in them may be long."""
        return [self._clamped(column) for column in super().get_list_display(request)]

    def _clamped(self, column: Any) -> Any:
        """The column with each long value as the title of its element, of which `admin.css` shows two lines."""
        fields = {field.name: field for field in self.opts.concrete_fields}
        field = fields.get(column)
        if (
            field is None
            or field.choices
            or not isinstance(field, (models.CharField, models.TextField, models.ForeignKey))
        ):
            return column

        @admin.display(description=field.verbose_name, ordering=column, empty_value=self.get_empty_value_display())
        def value(row: Any) -> str | None:
            text = "" if getattr(row, column) is None else str(getattr(row, column))
            return format_html('<span title="{}">{}</span>', text, text) if len(text) > FITS else text or None

        value.__name__ = column  # the class of its cells
        return value

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's form. A refusal that only the service could see is shown in its words, as on the pages."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return redirect(request.get_full_path())


def operator(request: HttpRequest) -> Actor:
    """The signed-in operator as the actor of a change."""
    if not isinstance(request.user, Administrator):
        raise TypeError("Django admin requires a signed-in operator.")
    return Actor.of(request.user, client_address(request))


@admin.register(Tenant)
class TenantAdmin(ReadOnly):
    list_display = ["name", "subdomain", "active", "created_at"]
    list_filter = ["active"]
    search_fields = ["name", "subdomain"]
    readonly_fields = ["api_url", "created_at"]
    exclude = ["calls_per_hour", "calls_per_second"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.add_tenant")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("access.change_tenant")

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        # Integrations are configured with the subdomain, so it cannot change.
        return ["subdomain", "api_url", "created_at"] if obj else ["active", "api_url", "created_at"]

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if change:
            edit_tenant(tenant_id=obj.pk, name=obj.name, active=obj.active, actor=operator(request))
        else:
            obj.pk = create_tenant(name=obj.name, subdomain=obj.subdomain, actor=operator(request)).pk


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


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    list_display = ["name", "tenant", "granted_count", "created_by_name", "created_at", "last_used_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), "created_at", "last_used_at"]
    list_select_related = ["tenant"]
    search_fields = ["name", "description", "tenant__name", "created_by_name"]
    # The digest is of no use to people, and of some to an attacker.
    fields = [
        "id", "tenant", "name", "description", "permissions", "version", "key_number", "created_at", "created_by_name",
        "expires_at", "revoked_at", "last_used_at", "last_used_from",
    ]  # fmt: skip
    actions = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.delete_apitoken")

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset.select_related("tenant"):
            try:
                revoke_token(tenant=token.tenant, token_id=token.id, actor=operator(request))
            except ApiToken.DoesNotExist:
                self.message_user(request, f"{token.name} was revoked before.", messages.WARNING)
            else:
                self.message_user(request, f"{token.name} is revoked.")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ["occurred_at", "tenant", "summary", "target_name", "actor_name"]
    # Events without a tenant are in the trail of the installation.
    list_filter = ["action", "actor_type", ("tenant", admin.EmptyFieldListFilter), "occurred_at"]
    list_select_related = ["tenant"]
    search_fields = ["target_name", "actor_name", "summary"]
    ordering = ["-id"]
    fields = [
        "ulid", "tenant", "sequence", "occurred_at", "action", "summary", "actor_type", "actor_id", "actor_name",
        "target_type", "target_id", "target_name", "target_component", "changes", "new_state", "metadata",
    ]  # fmt: skip


@admin.register(DBTaskResult)
class TaskAdmin(ReadOnly):
    list_display = ["enqueued_at", "task_path", "status", "attempts", "started_at", "finished_at"]
    list_filter = ["status"]
    search_fields = ["task_path"]
    ordering = ["-enqueued_at"]
    fields = [
        "id", "task_path", "args_kwargs", "status", "attempts", "enqueued_at", "started_at", "finished_at",
        "worker_ids", "exception_class_path", "traceback",
    ]  # fmt: skip

    @admin.display
    def attempts(self, task: DBTaskResult[..., Any]) -> int:
        return len(task.worker_ids)
