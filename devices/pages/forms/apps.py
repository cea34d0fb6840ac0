"""Forms of apps. A script of the page uploads the file before the form is sent. Without it, the form has the file."""

import json
from pathlib import PurePosixPath
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.template.defaultfilters import filesizeformat

from access.models import Tenant
from access.pages.uploads import UploadStopped
from devices.library.custom_apps import LONGEST_SCRIPT
from devices.library.ipa_apps import RUNS_ON
from devices.models import CustomApp, LibraryItem, StoredFile
from devices.pages.forms.library import FAMILY_LABELS, CodeField, ItemForm, SelfServiceForm
from devices.text import has_null_character

InstallType = CustomApp.InstallType
LONGEST_NAME = 255  # characters of a file's name
TYPES = {".pkg": InstallType.PACKAGE, ".dmg": InstallType.IMAGE, ".zip": InstallType.ZIP}


def too_large() -> str:
    return f"This file is too large: at most {filesizeformat(settings.IRU_FILES_MAXIMUM)} are allowed."


class AppForm(ItemForm):
    """An app and its file. `file_key` is the key of the uploaded file; `refused` is the reason if it was refused."""

    purpose: ClassVar[StoredFile.Purpose]
    suffixes: ClassVar[tuple[str, ...]]  # of the accepted files
    named: ClassVar[str]  # the accepted files, for people

    file = forms.FileField(error_messages={"required": "Choose a file."})
    file_key = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, tenant: Tenant, item: LibraryItem | None = None, refused: str = "", **options: Any
    ) -> None:
        super().__init__(data, tenant=tenant, item=item, **options)
        for name in ("file", "file_key"):
            self.initial.pop(name, None)
        self.refused, self._item = refused, item
        self.uploaded = tenant.files.filter(key=key, purpose=self.purpose).first() if (key := self._key) else None
        self.fields["file"].widget.attrs["accept"] = ",".join(self.suffixes)
        self._describe_file()

    def _describe_file(self) -> None:
        file, item = self.fields["file"], self._item
        limit = f"{self.named}, of at most {filesizeformat(settings.IRU_FILES_MAXIMUM)}."
        if self.uploaded:
            file.help_text = f"“{self.uploaded.name}” is uploaded. Choose another file to replace it."
        elif item is not None:
            file.label, file.help_text = "Another file", f"Leave it empty to keep the file. {limit}"
        else:
            file.help_text = limit
        file.required = item is None and self.uploaded is None

    @classmethod
    def file_name(cls, name: str) -> str:
        """The stored name of an uploaded file. Raises UploadStopped if its suffix is not in `suffixes`."""
        if PurePosixPath(name.lower()).suffix not in cls.suffixes:
            raise UploadStopped(f"Choose {cls.named[0].lower()}{cls.named[1:]}.")
        return "".join(filter(str.isprintable, name))[-LONGEST_NAME:]

    def clean(self) -> None:
        if self.refused:
            self.errors.pop("file", None)  # the error that the file is missing
            self.add_error("file", self.refused)

    def add_error(self, field: str | None, error: Any) -> None:
        """Add an error. One of the upload is shown at the file, and the person has to choose another file."""
        if field == "file_key":
            data: Any = self.data
            self.data = data.copy()
            self.data["file_key"] = ""  # type: ignore[index] # a copy can be changed
            self.uploaded = None
            self._describe_file()
        super().add_error("file" if field == "file_key" else field, error)

    def given(self) -> Any:
        given = {name: value for name, value in super().given().items() if name not in {"file", "file_key"}}
        return {**given, "file_key": self._key} if self._key else given

    @property
    def waiting(self) -> str:
        """The message about an upload that is being checked."""
        file = f"“{self.uploaded.name}” ({filesizeformat(self.uploaded.size)})" if self.uploaded else "The file"
        return f"{file} is uploaded, and is being checked."

    @property
    def _key(self) -> str:
        key = str(self.data.get("file_key", ""))
        return "" if has_null_character(key) else key


class AppScriptField(CodeField):
    """A script that only few apps have."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=LONGEST_SCRIPT, rows=3, **options)


class CustomAppForm(AppForm, SelfServiceForm):
    purpose = StoredFile.Purpose.CUSTOM_APP
    suffixes = tuple(TYPES)
    named = "A .pkg, .dmg or .zip file"

    install_type = forms.ChoiceField(
        label="Type",
        choices=InstallType.choices,
        # The page selects the type by the name of the file.
        widget=forms.Select(attrs={"data-by-suffix": json.dumps({name: str(kind) for name, kind in TYPES.items()})}),
    )
    unzip_location = forms.CharField(
        required=False,
        max_length=1000,
        label="Unzip into",
        help_text="For a ZIP archive: a folder on the Mac, such as /Applications.",
    )
    install_enforcement = forms.ChoiceField(label="Installation", choices=CustomApp.Enforcement.choices)
    audit_script = AppScriptField(
        label="Audit script",
        help_text="For “Audit and enforce”: the app is installed when it ends with an exit code other than 0.",
    )
    preinstall_script = AppScriptField(label="Preinstall script")
    postinstall_script = AppScriptField(label="Postinstall script")
    restart = forms.BooleanField(required=False, label="Restart the Mac afterwards")

    field_order = (
        "file_key",
        "name",
        "install_type",
        "unzip_location",
        "install_enforcement",
        "audit_script",
        "preinstall_script",
        "postinstall_script",
        "restart",
        "active",
        "show_in_self_service",
        "self_service_category_id",
        "self_service_recommended",
        "file",  # last: without JavaScript, the server needs the other fields before it stores the file
    )


class IpaAppForm(AppForm):
    purpose = StoredFile.Purpose.IPA_APP
    suffixes = (".ipa",)
    named = "An .ipa file"

    families = forms.MultipleChoiceField(
        label="For",
        choices=[(name, FAMILY_LABELS[name]) for name in RUNS_ON],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )

    field_order = ("file_key", "name", "families", "active", "file")

    def __init__(self, data: Any = None, *, tenant: Tenant, item: LibraryItem | None = None, **options: Any) -> None:
        super().__init__(data, tenant=tenant, item=item, **options)
        families = self.fields["families"]
        if item is None:
            families.required = False
            families.help_text = "Leave all empty to use the families that the file names."
        else:
            self.initial["families"] = [name for name in RUNS_ON if getattr(item.ipa_app, name)]

    def given(self) -> Any:
        given = super().given()
        chosen = given.pop("families")
        return {**given, **({name: name in chosen for name in RUNS_ON} if chosen else {})}
