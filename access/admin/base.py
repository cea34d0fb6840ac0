"""The base of every table in Django admin: it is shown, searched and filtered, and not changed."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from access.addresses import client_address
from access.audit.events import Actor
from access.models import Administrator
from access.pages.forms.asking import Asking

FITS = 40  # characters of a value on two lines of a column


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
