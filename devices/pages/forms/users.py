"""Forms of the Users pages."""

from typing import Any

from django import forms

from access.http.jump import every
from access.pages.forms.asking import Form
from access.pages.forms.filters import ListFilter
from access.pages.sorting import by_column
from devices.models import User
from devices.models.users import OrEmpty, UserQuerySet

SORTS = {
    "name": by_column("Name", "name"),
    "department": by_column("Department", OrEmpty("department")),
    "job": by_column("Job title", OrEmpty("job_title")),
}


class UserFilter(ListFilter):
    archived = forms.ChoiceField(
        required=False, label="Show", choices=[("", "Not archived"), ("only", "Archived"), ("all", "All")]
    )

    sorts = SORTS
    default_sort = "name"

    def matching(self) -> UserQuerySet:
        users: UserQuerySet = self.tenant.users.all()
        match self.chosen.get("archived"):
            case "only":
                users = users.filter(archived=True)
            case "all":
                pass
            case _:
                users = users.filter(archived=False)
        return users.filter(every(self.search_words, "name", "email"))


class UserForm(Form):
    name = forms.CharField(max_length=255, error_messages={"required": "Give the user a name."})
    department = forms.CharField(max_length=255, required=False)
    job_title = forms.CharField(max_length=255, required=False)
    archived = forms.BooleanField(
        required=False, help_text="The user stays on their devices, marked as archived, and leaves the list of users."
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        initial = {
            "name": user.name,
            "department": user.department or "",
            "job_title": user.job_title or "",
            "archived": user.archived,
        }
        super().__init__(data, initial=initial)

    def clean_department(self) -> str | None:
        return self._or_none("department")

    def clean_job_title(self) -> str | None:
        return self._or_none("job_title")

    def _or_none(self, field: str) -> str | None:
        # Null and "" are both "nothing" to people; what was stored as one of them stays that.
        value: str = self.cleaned_data[field]
        return value or None
