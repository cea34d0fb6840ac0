"""The base of every table in Django admin: it is shown, searched and filtered; a function of a room makes a change."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.options import ActionLocation
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirectBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme

from access.addresses import client_address
from access.admin.lists import BoundedPaginator, NewestRows, Rows, TenantFilter
from access.admin.words import label
from access.audit.events import Actor
from access.audit.looks import log_listing, log_opening
from access.models import Administrator, Tenant
from access.pages.forms.asking import Asking

FITS = 40  # characters of a value on two lines of a column
COLLISION = "Somebody else changed the same at the same moment. Look at it again, then send the form once more."
NOT_A_QUERY = {"p", "o", "e", "all"}  # parameters of a list that exclude no rows


class AskingModelForm(Asking, forms.ModelForm):  # type: ignore[type-arg] # generic only in its stubs
    """A form of Django admin. `refusal` is what the room refused about the same input, shown at its fields."""

    refusal: ValidationError | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    def clean(self) -> None:
        super().clean()
        if self.refusal is not None:
            by_field = hasattr(self.refusal, "error_dict")
            errors = self.refusal.error_dict if by_field else {None: self.refusal.error_list}
            for name, error in errors.items():
                self.add_error(name if name in self.fields else None, error)


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg] # the same
    """An admin that shows, searches and filters, and does not add, change or delete."""

    form = AskingModelForm
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    # One row, and several, in the product's words.
    noun: ClassVar[str] = ""
    nouns: ClassVar[str] = ""
    group: ClassVar[str] = "Access"  # the heading above the table in the navigation
    about: ClassVar[str] = ""  # a sentence below the title of the list
    # The way from a row to its tenant; empty for rows of the installation.
    tenant_path: ClassVar[str] = "tenant"
    # How the trail calls the rows, where it is not the name of the model.
    target_type: ClassVar[str] = ""
    # What may be done with one object of this table, as the buttons of its page say it.
    buttons: ClassVar[Mapping[str, str]] = {}
    dangerous: ClassVar[frozenset[str]] = frozenset()

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Django's filters, after the tenant. A list of all tenants would be as long as the installation is large."""
        return [*([TenantFilter] if self.tenant_path else []), *super().get_list_filter(request)]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Django's columns. Texts and names in them may be long."""
        return [self._clamped(column) for column in super().get_list_display(request)]

    def _clamped(self, column: Any) -> Any:
        """The column with each long value as the title of its element, of which `admin.css` shows two lines."""
        fields = {field.name: field for field in self.opts.concrete_fields}
        field = fields.get(column)
        if field is None:
            return column
        words = label(column, field.verbose_name)

        @admin.display(description=words, ordering=column, empty_value=self.get_empty_value_display())
        def value(row: Any) -> Any:
            found = getattr(row, f"get_{column}_display")() if field.choices else getattr(row, column)
            if isinstance(field, models.BooleanField):
                return {True: "Yes", False: "No"}.get(found)
            if not isinstance(field, (models.CharField, models.TextField, models.ForeignKey)):
                return found
            text = "" if found is None else str(found)
            return format_html('<span title="{}">{}</span>', text, text) if len(text) > FITS else text or None

        value.__name__ = column  # the class of its cells
        return value

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields = (*self.opts.concrete_fields, *self.opts.many_to_many)
        labels = {field.name: label(field.name, field.verbose_name) for field in fields}
        form: Any = super().get_form(request, obj, change, **{"labels": labels, **kwargs})
        form.refusal = getattr(request, "refusal", None)  # the class is made anew for each request
        return form

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Rows]:
        return Rows

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's form. A refusal by the room is shown at its fields, and the input stays. Each look is on record."""
        try:
            return self._on_record(request, super().changeform_view(request, *args, **kwargs))
        except ValidationError as error:
            return self._refused(request, error, *args, **kwargs)
        except IntegrityError:
            # Another request was faster. Its row is committed now, so the same checks find it and say so in words.
            try:
                return super().changeform_view(request, *args, **kwargs)
            except ValidationError as error:
                return self._refused(request, error, *args, **kwargs)
            except IntegrityError:
                return self._refused(request, ValidationError(COLLISION), *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's list. Each look across tenants is on record."""
        response = super().changelist_view(request, {"title": self.nouns[:1].upper() + self.nouns[1:]})
        if request.method == "GET" and response.status_code == 200:
            query = {key: str(value) for key, value in request.GET.items() if key not in NOT_A_QUERY and value}
            log_listing(type=self._type, name=self.nouns, query=query, actor=operator(request))
        return response

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of the object: the audit trail has its history, of all people and of every way in."""
        if not self.has_view_permission(request):
            return super().history_view(request, object_id, extra_context)
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", object_id)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj")
        noun = self.noun
        title = f"New {noun}" if obj is None else noun[:1].upper() + noun[1:]
        page = {
            "title": title,
            "subtitle": self.name_of(obj) if obj is not None else "",
            "nouns": self.nouns,
            "offered": self._offered(request, obj) if obj is not None else [],
            "lists": self.lists_of(request, obj) if obj is not None else [],
            "changelist_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
        }
        return super().render_change_form(request, {**context, **page}, *args, **kwargs)

    def lists_of(self, request: HttpRequest, obj: Any) -> list[tuple[str, str]]:
        """Lists that belong to the object, as labels and URLs."""
        return []

    def may_offer(self, name: str, obj: Any) -> bool:
        """Whether the button of this action makes sense for the object. The room decides when it is pressed."""
        return True

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """The page of the new object, which has its addresses and the next steps."""
        invited = "" if request.POST.get("password") else " An invitation is on its way, and works for 24 hours."
        self.message_user(request, f"{obj} is added.{invited}")
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", obj.pk)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        self.message_user(request, f"{obj} is saved.")
        return redirect(request.path)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        """Django's answer to an action. One that was begun on the page of an object leads back there."""
        response = super().response_action(request, queryset, *args, **kwargs)
        back = request.POST.get("next", "")
        if not isinstance(response, HttpResponseRedirectBase) or not back.startswith("/"):
            return response
        return redirect(back) if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else response

    def get_action_choices(
        self, request: HttpRequest, default_choices: Any = None, action_location: Any = ActionLocation.CHANGE_LIST
    ) -> Any:
        stock: Any = super()
        return stock.get_action_choices(request, [("", "Choose an action")], action_location)

    def _offered(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        allowed = self.get_actions(request)
        return [
            {"name": name, "label": label, "danger": name in self.dangerous}
            for name, label in self.buttons.items()
            if name in allowed and self.may_offer(name, obj)
        ]

    def _refused(self, request: HttpRequest, error: ValidationError, *args: Any, **kwargs: Any) -> HttpResponse:
        request.refusal = error  # type: ignore[attr-defined] # for get_form
        return super().changeform_view(request, *args, **kwargs)

    def _on_record(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        obj = (getattr(response, "context_data", None) or {}).get("original")
        if request.method == "GET" and response.status_code == 200 and obj is not None:
            id = getattr(obj, "uuid", None) or obj.pk
            name, tenant = self.name_of(obj), self.tenant_of(obj)
            log_opening(tenant=tenant, type=self._type, id=id, name=name, actor=operator(request))
        return response

    def name_of(self, obj: Any) -> str:
        """What the page of the object, and the trail, call it."""
        return str(obj)

    def tenant_of(self, obj: Any) -> Tenant | None:
        found = obj
        for name in self.tenant_path.split("__") if self.tenant_path else []:
            found = getattr(found, name)
        return found if isinstance(found, Tenant) else None

    @property
    def _type(self) -> str:
        return self.target_type or re.sub(r"(?<!^)(?=[A-Z])", "_", self.model.__name__).lower()


class Large(ReadOnly):
    """A table that may have many millions of rows: newest first, and searched and filtered among the newest ones."""

    ordering = ("-pk",)
    sortable_by = ()
    search_help_text = (
        "Searches and filters look at the newest 10,000 rows: of all tenants, or of one whose subdomain you enter."
    )

    def exactly(self, request: HttpRequest, query: str) -> QuerySet[Any] | None:
        """Rows of any age that an index finds by the whole of the search, if the table has such an index."""
        return None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[NewestRows]:
        return NewestRows


def operator(request: HttpRequest) -> Actor:
    """The signed-in operator as the actor of a change."""
    if not isinstance(request.user, Administrator):
        raise TypeError("Django admin requires a signed-in operator.")
    return Actor.of(request.user, client_address(request))
