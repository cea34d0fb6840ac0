"""Tenants: made with their first Account Owner, renamed, suspended and resumed; with their use of the installation."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from access.addresses import web_origin
from access.admin.base import AskingModelForm, ReadOnly, operator
from access.admin.lists import SUBDOMAIN, TenantFilter
from access.admin.passwords import SENSITIVE, ChosenPassword, confirm_own_password
from access.admin.questions import ConfirmedForm, Question, answered, ask
from access.installation.state import tenant_facts
from access.models import Tenant
from access.people.founding import found_tenant
from access.people.tenants import edit_tenant, set_call_limits
from access.sign_in.reauthentication import authenticated_recently

SUBDOMAIN_RULE = (
    "The first part of its API address. Lower-case letters, digits and hyphens, 63 at most; it starts and ends with a "
    "letter or a digit. It cannot be changed later."
)


class NewTenant(ChosenPassword, AskingModelForm):
    """A tenant and its first Account Owner. Without a password the owner gets an invitation by mail."""

    email = forms.EmailField(label="E-mail", max_length=254, help_text="The Account Owner signs in with it.")
    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)

    class Meta:
        model = Tenant
        fields = ["name", "subdomain"]
        help_texts = {"subdomain": SUBDOMAIN_RULE}
        error_messages = {"subdomain": {"unique": "Another tenant has this subdomain."}}

    def clean_subdomain(self) -> str:
        return str(self.cleaned_data["subdomain"]).strip()


OWNER = ("email", "first_name", "last_name", "password")


@admin.register(Tenant)
class TenantAdmin(ReadOnly):
    noun, nouns = "tenant", "tenants"
    tenant_path = ""
    list_display = ["name", "subdomain", "state", "created_at"]
    list_filter = ["active"]
    search_fields = ["name", "subdomain"]
    actions = ["suspend", "unsuspend"]
    buttons = {"suspend": "Suspend", "unsuspend": "Unsuspend"}
    dangerous = frozenset({"suspend"})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.add_tenant")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("access.change_tenant")

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def get_fieldsets(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        if obj is None:
            own = [] if authenticated_recently(request) else ["own_password"]
            return [
                ("Organization", {"fields": ["name", "subdomain"]}),
                ("Account Owner", {"fields": [*OWNER, *own]}),
            ]
        return [
            (None, {"fields": ["name", "subdomain", "state", "created_at"]}),
            ("Addresses", {"fields": ["web_address", "api_address", "mcp_address"]}),
            ("Use", {"fields": ["use"]}),
            ("Limits", {"fields": ["calls_per_hour", "calls_per_second"]}),
            ("Rules of the organization", {"fields": ["longest_token_days", "second_step_required"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        # Integrations are configured with the subdomain, so it cannot change. The rules belong to the Account Owner.
        return (
            [
                "subdomain", "state", "created_at", "web_address", "api_address", "mcp_address", "use",
                "longest_token_days", "second_step_required",
            ] if obj else []
        )  # fmt: skip

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewTenant.for_request(request)
        return super().get_form(request, obj, change, **kwargs)

    @method_decorator(sensitive_post_parameters(*SENSITIVE))
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's page. A password for another person requires the operator's own. Raises TooManyAttempts."""
        confirm_own_password(request)
        return super().add_view(request, *args, **kwargs)

    def tenant_of(self, obj: Tenant) -> Tenant:
        return obj

    def may_offer(self, name: str, obj: Tenant) -> bool:
        return obj.active == (name == "suspend") and obj.deletion_began_at is None

    def lists_of(self, request: HttpRequest, obj: Tenant) -> list[tuple[str, str]]:
        """Every list that the filter for tenants is in."""
        found = []
        for model, model_admin in self.admin_site._registry.items():  # noqa: SLF001 - it has no other name
            if model_admin.has_view_permission(request) and TenantFilter in model_admin.get_list_filter(request):
                url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
                found.append((model_admin.nouns, f"{url}?{SUBDOMAIN}={obj.subdomain}"))  # type: ignore[attr-defined]
        return found

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if change:
            with transaction.atomic():
                edit_tenant(tenant_id=obj.pk, name=obj.name, active=obj.active, actor=operator(request))
                set_call_limits(
                    tenant=obj,
                    per_hour=obj.calls_per_hour,
                    per_second=obj.calls_per_second,
                    actor=operator(request),
                )
            return
        fields = form.cleaned_data
        tenant, _ = found_tenant(
            name=fields["name"],
            subdomain=fields["subdomain"],
            email=fields["email"],
            first_name=fields["first_name"],
            last_name=fields["last_name"],
            password=fields["password"] or None,
            actor=operator(request),
            host=request.get_host(),
        )
        obj.pk = tenant.pk

    @admin.display(description="Status", ordering="active")
    def state(self, tenant: Tenant) -> str:
        if tenant.deletion_began_at:
            return "Being deleted"
        return "Active" if tenant.active else "Suspended"

    @admin.display(description="Pages")
    def web_address(self, tenant: Tenant) -> str:
        return web_origin()

    @admin.display(description="API")
    def api_address(self, tenant: Tenant) -> str:
        return tenant.api_url if tenant.active else "None: the tenant is suspended"

    @admin.display(description="AI assistants (MCP)")
    def mcp_address(self, tenant: Tenant) -> str:
        return tenant.mcp_url if tenant.active else "None: the tenant is suspended"

    @admin.display(description="Use")
    def use(self, tenant: Tenant) -> SafeString:
        rows = ((fact.label, f"{fact.value:,}" if isinstance(fact.value, int) else fact.value, fact.note)
                for fact in tenant_facts(tenant))  # fmt: skip
        row = "<div><dt>{}</dt><dd>{} <span>{}</span></dd></div>"
        return format_html('<dl class="fact-rows">{}</dl>', format_html_join("", row, rows))

    @admin.action(description="Suspend", permissions=["suspend"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> HttpResponse | None:
        """Ask first, with the tokens and people that are cut off; then suspend."""
        if not answered(request, ConfirmedForm):
            question = Question(
                "Suspend tenants?",
                "From then on every call with their tokens is refused, their API addresses answer 404, and their "
                "people cannot sign in or open a page. Nothing is deleted, and Unsuspend ends it.",
                "Suspend",
                [self._cut_off(tenant) for tenant in queryset],
            )
            return ask(self, request, queryset, question, ConfirmedForm)
        self._set_active(request, queryset, active=False, done="is suspended")
        return None

    @admin.action(description="Unsuspend", permissions=["suspend"])
    def unsuspend(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> HttpResponse | None:
        if not answered(request, ConfirmedForm):
            question = Question(
                "Unsuspend tenants?",
                "Their active tokens work again at once, and their people can sign in.",
                "Unsuspend",
                [self._let_in(tenant) for tenant in queryset],
                danger=False,
            )
            return ask(self, request, queryset, question, ConfirmedForm)
        self._set_active(request, queryset, active=True, done="is active again")
        return None

    def _set_active(self, request: HttpRequest, tenants: QuerySet[Tenant], *, active: bool, done: str) -> None:
        for tenant in tenants:
            try:
                edit_tenant(tenant_id=tenant.pk, name=tenant.name, active=active, actor=operator(request))
            except ValidationError as error:
                self.message_user(request, f"{tenant.name}: {' '.join(error.messages)}", "ERROR")
            else:
                self.message_user(request, f"{tenant.name} {done}.")

    def _cut_off(self, tenant: Tenant) -> str:
        if not tenant.active:
            return f"{tenant.name} ({tenant.subdomain}): is suspended already"
        return f"{tenant.name} ({tenant.subdomain}): {_reach(tenant)} cut off"

    def _let_in(self, tenant: Tenant) -> str:
        if tenant.active:
            return f"{tenant.name} ({tenant.subdomain}): is active already"
        return f"{tenant.name} ({tenant.subdomain}): {_reach(tenant)} let in again"


def _reach(tenant: Tenant) -> str:
    """The live tokens and the people of the tenant, in words, up to their verb."""
    tokens, people = tenant.api_tokens.in_state("active").count(), tenant.administrators.filter(is_active=True).count()
    persons = "1 person" if people == 1 else f"{people} people"
    return f"{tokens} active API token{'' if tokens == 1 else 's'} and {persons} are"
