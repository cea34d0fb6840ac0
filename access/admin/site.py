"""The site itself: what Django and allauth registered and is not shown, the sign-in, and an operator's own password."""

from dataclasses import asdict
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
from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django_tasks_db.models import DBTaskResult

from access.addresses import client_address
from access.audit.events import Actor
from access.installation.state import installation_facts
from access.pages.forms.asking import Asking
from access.pages.forms.password import LENGTH_ADVICE
from access.sign_in.passwords import change_password
from access.sign_in.reauthentication import confirm_password

# Permissions follow from roles, each person has one e-mail address, tasks are shown by a class of ours, and
# authenticators are changed by their person.
admin.site.unregister([Group, EmailAddress, DBTaskResult, Authenticator, SocialAccount, SocialApp, SocialToken])
admin.site.site_header = admin.site.site_title = "Iru Endpoint"
admin.site.empty_value_display = "—"
admin.site.index_title = "Installation"
# Operators use the sign-in page of everybody, where attempts are counted.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
_change_own_password = admin.site.password_change
_get_app_list, _index = admin.site.get_app_list, admin.site.index


def app_list(request: HttpRequest, app_label: str | None = None) -> list[Any]:
    """Django's list of tables, each with its name in our words, its group and its place in the navigation."""
    apps: list[Any] = _get_app_list(request, app_label)
    places = {model: place for place, model in enumerate(admin.site._registry)}  # noqa: SLF001 - it has no other name
    for app in apps:
        for entry in app["models"]:
            model_admin: Any = admin.site._registry[entry["model"]]  # noqa: SLF001 - the same
            words = model_admin.nouns
            entry |= {
                "name": words[:1].upper() + words[1:],
                "group": model_admin.group,
                "place": places[entry["model"]],
            }
    return apps


def index(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's start page, with the state of the installation for those who may look at the tables."""
    facts = installation_facts() if request.user.has_perm("access.view_tenant") else []
    shown = [{**asdict(fact), "link": reverse(fact.url) if fact.url else ""} for fact in facts]
    return _index(request, {"facts": shown})


admin.site.get_app_list = app_list  # type: ignore[method-assign]
admin.site.index = index  # type: ignore[method-assign, assignment]


class OwnPasswordForm(Asking, AdminPasswordChangeForm):
    """Django's form. The new password is set by our function, which writes the audit event."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        advice = f"{LENGTH_ADVICE} With two-step verification, 8 are enough."
        self.fields["new_password1"].help_text = advice
        self.fields["new_password2"].label, self.fields["new_password2"].help_text = "New password, once more", ""

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
    return _change_own_password(request, {**(extra_context or {}), "title": "Change your password"})


admin.site.password_change_form = OwnPasswordForm
admin.site.password_change = change_own_password  # type: ignore[method-assign, assignment]
