"""Forms of the Library: the filters of its lists, scripts and profiles."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from access.http.jump import every
from access.models import Tenant
from access.pages.forms.asking import Form
from access.pages.forms.filters import ListFilter
from access.pages.sorting import by_column, by_number
from devices.library.categories import categories
from devices.library.kinds import KINDS, contents_of
from devices.library.profile_files import LARGEST
from devices.library.profiles import FAMILIES
from devices.library.scripts import LONGEST
from devices.models import CustomScript, LibraryItem

FAMILY_LABELS = dict(zip(FAMILIES, ("Mac", "iPhone", "iPad", "Apple TV", "Vision Pro"), strict=True))


SORTS = {
    "name": by_column("Name", "name"),
    "kind": by_column("Kind", "type"),
    "changed": by_number("Changed", "updated_at", "Changed first", "Changed last"),
}


class LibraryFilter(ListFilter):
    kind = forms.ChoiceField(
        required=False, choices=[("", "Any"), *((kind.type, kind.label) for kind in KINDS.values())]
    )
    active = forms.ChoiceField(
        required=False, label="Status", choices=[("", "Any"), ("yes", "Active"), ("no", "Inactive")]
    )

    sorts = SORTS
    default_sort = "name"

    def matching(self) -> QuerySet[LibraryItem]:
        chosen = self.chosen
        items: QuerySet[LibraryItem] = self.tenant.library_items.filter(every(self.search_words, "name"))
        if "kind" in chosen:
            items = items.filter(type=chosen["kind"])
        if "active" in chosen:
            items = items.filter(active=chosen["active"] == "yes")
        return items


class CodeField(forms.CharField):
    """A script. Browsers send CR LF, which shells do not accept, as the end of a line. Blanks at the beginning stay."""

    def __init__(self, *, max_length: int = LONGEST, rows: int = 10, **options: Any) -> None:
        attributes = {"rows": rows, "spellcheck": "false", "autocapitalize": "off"}
        super().__init__(max_length=max_length, strip=False, widget=forms.Textarea(attrs=attributes), **options)

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")


# The public API's sentences name its values; the page names its own labels.
SENTENCES = {
    "Required when choosing continuously_enforce": "Required for “Audit and enforce”.",
    "Only allowed when choosing continuously_enforce": "Only “Audit and enforce” runs an audit script.",
    "Required when choosing zip": "Required for a ZIP archive.",
    "Required when not enforcing install": "Required for “Only from Self Service”.",
    "Required when showing in self service": "Required to show it in Self Service.",
}


class ItemForm(Form):
    """The fields of every kind of item. `given` returns the arguments for the functions of `devices.library`."""

    name = forms.CharField(max_length=255, error_messages={"required": "Give it a name."})
    active = forms.BooleanField(
        required=False, help_text="An inactive item is no longer sent to devices. It stays assigned."
    )

    def __init__(
        self, data: Any = None, files: Any = None, *, tenant: Tenant, item: LibraryItem | None = None, **options: Any
    ) -> None:
        super().__init__(data, files, **{"initial": self.initial_of(item), **options})

    @classmethod
    def initial_of(cls, item: LibraryItem | None) -> dict[str, Any]:
        if item is None:
            return {"active": True}
        contents = contents_of(item)
        own = {name: getattr(contents, name) for name in cls.base_fields if hasattr(contents, name)}
        return {"name": item.name, "active": item.active, **own}

    def add_error(self, field: str | None, error: Any) -> None:
        super().add_error(field, SENTENCES.get(getattr(error, "message", ""), error))

    def given(self) -> Any:
        return dict(self.cleaned_data)


class SelfServiceForm(ItemForm):
    """An item that people may install from Self Service."""

    show_in_self_service = forms.BooleanField(required=False, label="Show in Self Service")
    self_service_category_id = forms.ChoiceField(required=False, label="Category in Self Service")
    self_service_recommended = forms.BooleanField(required=False, label="Recommend in Self Service")

    def __init__(
        self, data: Any = None, files: Any = None, *, tenant: Tenant, item: LibraryItem | None = None, **options: Any
    ) -> None:
        super().__init__(data, files, tenant=tenant, item=item, **options)
        choices = [("", "Choose…"), *((str(each.uuid), each.name) for each in categories(tenant))]
        self.fields["self_service_category_id"].choices = choices  # type: ignore[attr-defined]

    @classmethod
    def initial_of(cls, item: LibraryItem | None) -> dict[str, Any]:
        initial = super().initial_of(item)
        if item is not None:
            initial |= {
                "show_in_self_service": item.show_in_self_service,
                "self_service_category_id": str(item.category.uuid) if item.category else "",
                "self_service_recommended": item.self_service_recommended,
            }
        return initial

    def given(self) -> Any:
        id = self.cleaned_data["self_service_category_id"]
        return {**super().given(), "self_service_category_id": UUID(id) if id else None}


class ScriptForm(SelfServiceForm):
    execution_frequency = forms.ChoiceField(label="Run", choices=CustomScript.Frequency.choices)
    script = CodeField(label="Audit script", error_messages={"required": "Write the script."})
    remediation_script = CodeField(
        required=False,
        label="Remediation script",
        help_text="It runs when the audit script ends with an exit code other than 0.",
    )
    restart = forms.BooleanField(required=False, label="Restart the Mac afterwards")

    field_order = ("name", "execution_frequency", "script", "remediation_script", "restart", "active")


class ProfileForm(ItemForm):
    file = forms.FileField(
        label="Profile",
        help_text=f"A .mobileconfig without a signature, of at most {LARGEST // 1_000_000} MB.",
        widget=forms.FileInput(attrs={"accept": ".mobileconfig,.plist,.xml"}),
        error_messages={"required": "Choose a file.", "empty": "This file is empty."},
    )
    families = forms.MultipleChoiceField(
        label="For",
        choices=FAMILY_LABELS.items,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )

    field_order = ("name", "file", "families")

    def __init__(self, data: Any = None, files: Any = None, *, tenant: Tenant, item: LibraryItem | None = None) -> None:
        initial = self.initial_of(item)
        profile = item.custom_profile if item else None
        initial["families"] = [name for name in FAMILIES if getattr(profile, name, name == "runs_on_mac")]
        initial.pop("file", None)
        super().__init__(data, files, tenant=tenant, item=item, initial=initial)
        if item is not None:
            file = self.fields["file"]
            file.required = False
            file.label, file.help_text = "Another profile", f"Leave it empty to keep the file. {file.help_text}"

    def given(self) -> Any:
        chosen, file = self.cleaned_data["families"], self.cleaned_data["file"]
        return {
            "name": self.cleaned_data["name"],
            "active": self.cleaned_data["active"],
            **{name: name in chosen for name in FAMILIES},
            **({"file": file.read()} if isinstance(file, UploadedFile) else {}),
        }
