"""Apps in the Library's pages: uploaded by the page's script, or with the form when there is no JavaScript."""

import hashlib
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.defaultfilters import filesizeformat
from django.test import Client

from access.http import slow_clients
from access.models import Administrator, Role, Tenant
from devices.demo.app_uploads import archive_file, image_file, ipa_file, package_file
from devices.library.desired import package_files
from devices.models import LibraryItem, StoredFile
from devices.storage import embedded
from devices.storage.backends import Incoming
from tests.devices.files.forms import FORM, form
from tests.devices.files.forms import file as part
from tests.devices.installers import NAME, Bundle, Installer
from tests.devices.pages.browsing import HTMX, XSS, SignIn, on, text
from tests.factories.devices import CustomAppFactory, IpaAppFactory, PendingUploadFactory, StoredFileFactory
from tests.types import Response, RunTasks

pytestmark = pytest.mark.django_db
CUSTOM, IPA = "/library/apps/custom/", "/library/apps/in-house/"
APP = {"name": "Tools", "install_type": "package", "install_enforcement": "install_once", "active": "on"}
NO_ENFORCEMENT, ENFORCED = ({"install_enforcement": each} for each in ("no_enforcement", "continuously_enforce"))
PACKAGE = package_file() + bytes(5000)


def url(item: LibraryItem, rest: str = "") -> str:
    return f"/library/{item.uuid}/{rest}"


def edit_url(item: LibraryItem) -> str:
    kind = CUSTOM if item.type == "custom-app" else IPA
    return f"{kind}{item.uuid}/edit/"


def file(content: bytes = PACKAGE, name: str = "Tools.pkg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def upload(client: Client, content: bytes = PACKAGE, name: str = "Tools.pkg", kind: str = CUSTOM) -> str:
    """Upload the content to the storage as the page does. Returns its key."""
    place = client.post(f"{kind}upload/", {"name": name}).json()
    assert list(place) == ["url", "fields", "file_key"]
    parts = urlsplit(place["url"])
    body = form(place["fields"], part(content))
    posted = Client().generic("POST", parts.path, body, content_type=FORM, headers={"host": parts.netloc})
    assert posted.status_code == 204
    return str(place["file_key"])


def errors(answer: Response) -> dict[str, list[str]]:
    assert answer.status_code == 422
    return {name: list(words) for name, words in answer.context["form"].errors.items()}


def test_a_page_uploads_a_file_and_makes_an_app_of_it(tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks) -> None:
    client = sign_in(Role.STANDARD)
    dialog = text(client.get(f"{CUSTOM}new/"))
    assert f'data-upload="{CUSTOM}upload/"' in dialog
    assert f'data-maximum="{5 * 1024**3}"' in dialog
    key = upload(client)
    app = {**APP, "file_key": key, "preinstall_script": "#!/bin/zsh\r\nexit 0\r\n", "restart": "on"}
    early = client.post(f"{CUSTOM}new/", app, headers=HTMX)
    assert early.status_code == 200
    assert f"“Tools.pkg” ({filesizeformat(len(PACKAGE))}) is uploaded, and is being checked." in text(early)
    assert 'hx-trigger="submit, every 1s"' in text(early)
    # The page sends the same fields again automatically, and is replaced only when the status has changed.
    fields = {name: value for name, value in hidden(early).items() if name != "csrfmiddlewaretoken"}
    assert fields.items() >= {"name": "Tools", "file_key": key, "waiting": "1"}.items()
    assert client.post(f"{CUSTOM}new/", fields, headers=HTMX).status_code == 204
    assert not tenant.library_items.exists()
    run_tasks()
    created = client.post(f"{CUSTOM}new/", fields, headers=HTMX)
    item = tenant.library_items.select_related("custom_app__file").get()
    assert created["HX-Redirect"] == url(item)
    made = item.custom_app
    assert (made.file_key, made.preinstall_script, made.restart, item.active) == (key, "#!/bin/zsh\nexit 0", True, True)
    assert made.file.sha256 == hashlib.sha256(PACKAGE).hexdigest()
    assert made.file.expires_at is None


def hidden(answer: Response) -> dict[str, Any]:
    """The hidden fields of the form that waits for the check."""
    form = answer.context["form"]
    names = [name for name in form.fields if f'name="{name}"' in text(answer)]
    values = {name: form[name].value() for name in names}
    return {**{name: value for name, value in values.items() if value not in {None, False}}, "waiting": "1"}


def test_without_javascript_the_form_takes_the_file_along(tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks) -> None:
    client = sign_in(Role.STANDARD)
    page = client.post(f"{CUSTOM}new/", {**APP, "file": file()})
    assert "is uploaded, and is being checked." in text(page)
    assert ">Continue</button>" in text(page)
    run_tasks()
    created = client.post(f"{CUSTOM}new/", hidden(page))
    item = tenant.library_items.get()
    assert created["Location"] == url(item)
    assert (item.custom_app.file.name, item.custom_app.file.size) == ("Tools.pkg", len(PACKAGE))


def test_an_in_house_app_runs_on_what_its_file_says(tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks) -> None:
    client = sign_in()
    key = upload(client, ipa_file(), "Expenses.ipa", IPA)
    run_tasks()
    client.post(f"{IPA}new/", {"name": "Expenses", "file_key": key, "active": "on"})
    item = tenant.library_items.get()
    app = item.ipa_app
    assert (app.runs_on_iphone, app.runs_on_ipad, app.runs_on_tv) == (True, True, False)
    page = client.get(url(item))
    for words in (
        "com.<wbr>accuhive.<wbr>expenses",
        "3.2.1",
        "17.0",
        "iPhone, iPad",
        app.file.sha256,
        url(item, "icon/"),
    ):
        assert words in text(page)
    icon = client.get(url(item, "icon/"))
    assert (icon["Content-Type"], icon.content[:4]) == ("image/png", b"\x89PNG")
    edit = {"name": "Spending", "families": ["runs_on_ipad"]}
    client.post(edit_url(item), edit, headers=on(url(item)))
    item = tenant.library_items.select_related("ipa_app").get()
    assert (item.name, item.active, item.ipa_app.file_key) == ("Spending", False, key)
    assert (item.ipa_app.runs_on_iphone, item.ipa_app.runs_on_ipad) == (False, True)
    assert errors(client.post(edit_url(item), {"name": "x"})) == {"families": ["Choose at least one."]}


@pytest.mark.parametrize("streamed", [False, True])
def test_the_file_is_replaced_or_stays(tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks, *, streamed: bool) -> None:
    client = sign_in()
    client.post(f"{CUSTOM}new/", {**APP, "file": file()})
    run_tasks()
    first = tenant.files.get()
    client.post(f"{CUSTOM}new/", {**APP, "file_key": first.key})
    item = tenant.library_items.get()
    edit = edit_url(item)
    client.post(edit, {**APP, "name": "Tools 2"})
    item = tenant.library_items.select_related("custom_app").get()
    assert (item.name, item.custom_app.file_key) == ("Tools 2", first.key)
    if streamed:
        waits = client.post(edit, {**APP, "file": file(PACKAGE + b"2")})
        data = hidden(waits)
    else:
        data = {**APP, "file_key": upload(client, PACKAGE + b"2")}
    run_tasks()
    assert client.post(edit, data)["Location"] == url(item)
    item = tenant.library_items.select_related("custom_app__file").get()
    assert item.custom_app.file.sha256 == hashlib.sha256(PACKAGE + b"2").hexdigest()
    first.refresh_from_db()
    assert first.expires_at is not None, "nothing uses it any more"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("Tools.exe", CUSTOM, "Choose a .pkg, .dmg or .zip file."),
        ("pkg", CUSTOM, "Choose a .pkg, .dmg or .zip file."),
        ("Tools.pkg", IPA, "Choose an .ipa file."),
    ],
)
def test_a_file_of_another_kind_is_refused_before_it_is_sent(
    tenant: Tenant, sign_in: SignIn, name: str, kind: str, words: str
) -> None:
    client = sign_in()
    answer = client.post(f"{kind}upload/", {"name": name})
    assert (answer.status_code, answer.json()) == (422, {"error": words})
    streamed = client.post(f"{kind}new/", {**APP, "file": file(name=name)})
    assert errors(streamed)["file"] == [words]
    assert 'value="Tools"' in text(streamed), "what was typed stays"
    assert not tenant.files.exists()


@pytest.mark.parametrize(
    ("name", "kept"), [(f"{'n' * 300}.pkg", f"{'n' * 251}.pkg"), ("a\0\x07b.pkg", "ab.pkg")], ids=["long", "control"]
)
def test_an_odd_name_of_a_file_becomes_a_plain_one(tenant: Tenant, sign_in: SignIn, name: str, kept: str) -> None:
    client = sign_in()
    assert client.post(f"{CUSTOM}upload/", {"name": name}).status_code == 200
    assert client.post(f"{CUSTOM}new/", {**APP, "file": file(name=name)}).status_code == 200
    assert [stored.name for stored in tenant.files.all()] == [kept, kept]


def test_a_file_that_is_too_large_is_refused_unread(tenant: Tenant, sign_in: SignIn, settings: Any) -> None:
    settings.IRU_FILES_MAXIMUM = 4000
    client = sign_in()
    words = "This file is too large: at most 3.9\N{NO-BREAK SPACE}KB are allowed."
    slightly = client.post(f"{CUSTOM}new/", {**APP, "file": file(bytes(4001))})
    assert errors(slightly)["file"] == [words]
    assert tenant.files.get().state == "reserved"
    body = form(APP, part(bytes(8_000_000)))
    stream = BytesIO(body)
    headers: dict[str, Any] = {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body)), "wsgi.input": stream}
    far = client.generic("POST", f"{CUSTOM}new/", **headers)
    assert errors(far)["file"] == [words]
    assert 'value="Tools"' in text(far), "what was typed stays"
    assert stream.tell() < 2_000_000
    assert tenant.files.count() == 1


def test_an_empty_or_missing_file_is_refused(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    assert errors(client.post(f"{CUSTOM}new/", {**APP, "file": file(b"")}))["file"] == ["This file is empty."]
    assert errors(client.post(f"{CUSTOM}new/", APP))["file"] == ["Choose a file."]
    assert not tenant.library_items.exists()


def test_what_an_ipa_lacks_is_said_at_its_field(tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks) -> None:
    client = sign_in()
    key = upload(client, b"no archive at all", "Expenses.ipa", IPA)
    run_tasks()
    answer = client.post(f"{IPA}new/", {"name": "Expenses", "file_key": key}, headers=HTMX)
    reason = "The file is not an IPA: it is not a ZIP archive, or it is damaged."
    assert errors(answer) == {"file": [reason]}
    assert key not in text(answer), "another file has to be chosen"
    assert 'value="Expenses"' in text(answer)


def test_a_file_of_another_type_is_an_error_of_the_type(tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks) -> None:
    client = sign_in()
    key = upload(client, image_file(), "Tools.dmg")
    run_tasks()
    answer = client.post(f"{CUSTOM}new/", {**APP, "file_key": key})
    assert errors(answer) == {"install_type": ["This file is another type: Disk image (image)."]}
    assert "“Tools.dmg” is uploaded." in text(answer), "the file need not be sent again"
    assert client.post(f"{CUSTOM}new/", {**APP, "install_type": "image", "file_key": key}).status_code == 302


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        (NO_ENFORCEMENT, "show_in_self_service", "Required for “Only from Self Service”."),
        (ENFORCED, "audit_script", "Required for “Audit and enforce”."),
        ({"audit_script": "exit 0"}, "audit_script", "Only “Audit and enforce” runs an audit script."),
        ({"install_type": "zip"}, "unzip_location", "Required for a ZIP archive."),
        ({"show_in_self_service": "on"}, "self_service_category_id", "Required to show it in Self Service."),
    ],
)
def test_companion_fields(tenant: Tenant, sign_in: SignIn, changes: dict[str, str], field: str, words: str) -> None:
    stored = StoredFileFactory.create(tenant=tenant)
    answer = sign_in().post(f"{CUSTOM}new/", {**APP, "file_key": stored.key, **changes}, headers=HTMX)
    assert errors(answer) == {field: [words]}
    assert stored.key in text(answer)


def test_a_key_of_another_tenant_or_purpose_is_no_file(tenant: Tenant, other_tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    item = CustomAppFactory.create(tenant=tenant)
    for foreign in (StoredFileFactory.create(tenant=other_tenant), PendingUploadFactory.create(tenant=tenant, key="x")):
        data = {**APP, "file_key": foreign.key}
        assert errors(client.post(f"{CUSTOM}new/", data))["file"] == ["Choose a file."]
        assert errors(client.post(edit_url(item), data))["file"] == ["No upload has this key."]
        foreign.refresh_from_db()
        assert foreign.expires_at is not None


def test_a_full_disk_is_said_at_the_field(tenant: Tenant, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Incoming, "write", full)
    answer = sign_in().post(f"{CUSTOM}new/", {**APP, "file": file()})
    assert errors(answer)["file"] == ["The file cannot be stored at the moment. Try again later."]
    assert tenant.files.get().state == "reserved"


# --- Bodies that the form accepts -------------------------------------------------------------------------------------


class Transfers:
    """The streams that were passed on to the storage."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        monkeypatch.setattr("access.pages.uploads.begin_transfer", self.begin)

    def begin(self, meta: object) -> None:
        self.begun += 1


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> Transfers:
    return Transfers(monkeypatch)


def test_only_who_may_edit_the_library_sends_a_file(sign_in: SignIn, tenant: Tenant, transfers: Transfers) -> None:
    body = form(APP, part(PACKAGE))
    for client, status in ((sign_in(Role.AUDITOR), 403), (sign_in(Role.HELP_DESK), 403), (Client(), 415)):
        stream = BytesIO(body)
        headers: dict[str, Any] = {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body)), "wsgi.input": stream}
        assert client.generic("POST", f"{CUSTOM}new/", **headers).status_code == status
        assert status == 415 or stream.tell() == 0
    assert (transfers.begun, tenant.files.count()) == (0, 0)


def test_a_form_of_another_site_stores_nothing(owner: Administrator, tenant: Tenant, transfers: Transfers) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    page = client.get(f"{CUSTOM}new/")
    late = form({**APP}, part(PACKAGE))
    for fields in (APP, {**APP, "csrfmiddlewaretoken": "x" * 64}):
        answer = client.post(f"{CUSTOM}new/", {**fields, "file": file()})
        assert (answer.status_code, "This form has expired" in text(answer)) == (403, True)
    answer = client.generic("POST", f"{CUSTOM}new/", late, content_type=FORM, headers={"origin": "https://evil.test"})
    assert answer.status_code == 403
    assert (transfers.begun, tenant.files.count()) == (0, 0)
    right = {"csrfmiddlewaretoken": str(page.context["csrf_token"]), **APP, "file": file()}
    assert client.post(f"{CUSTOM}new/", right).status_code == 200
    assert (transfers.begun, tenant.files.count()) == (1, 1)


def test_a_server_without_a_free_thread_says_so(
    sign_in: SignIn, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(meta: object) -> None:
        raise slow_clients.ServerBusy

    monkeypatch.setattr("access.pages.uploads.begin_transfer", busy)
    answer = sign_in().post(f"{CUSTOM}new/", {**APP, "file": file()})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert not tenant.files.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(APP, part(PACKAGE))[:-30], 400),
        (form(APP, part(PACKAGE))[:3000], 400),
        (form(APP, part(PACKAGE), part(PACKAGE)), 415),
        (form(APP, part(PACKAGE, name="other")), 415),
        (b"no form", 400),
    ],
    ids=["end", "middle", "two", "another-field", "nonsense"],
)
def test_a_form_that_is_not_whole_or_not_ours_makes_nothing(
    sign_in: SignIn, tenant: Tenant, body: bytes, status: int
) -> None:
    answer = sign_in().generic("POST", f"{CUSTOM}new/", body, content_type=FORM)
    assert answer.status_code == status
    assert not tenant.files.exclude(state=StoredFile.State.RESERVED).exists()
    assert not tenant.library_items.exists()


def test_what_breaks_off_leaves_no_file(sign_in: SignIn, settings: Any, tmp_path: Any) -> None:
    options = {**settings.STORAGES["files"], "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "files": options}
    client = sign_in()
    client.generic("POST", f"{CUSTOM}new/", form(APP, part(PACKAGE))[:3000], content_type=FORM)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    client.post(f"{CUSTOM}new/", {**APP, "file": file()})
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert path.parent.name != embedded.INCOMING
    assert path.read_bytes() == PACKAGE


# --- The pages of an app ----------------------------------------------------------------------------------------------


def test_the_page_of_an_app_says_what_it_is(tenant: Tenant, sign_in: SignIn) -> None:
    item = CustomAppFactory.create(
        tenant=tenant,
        install_type="zip",
        install_enforcement="continuously_enforce",
        unzip_location="/Applications",
        audit_script="#!/bin/zsh\nexit 1",
        restart=True,
    )
    page = text(sign_in().get(url(item)))
    for words in (
        "Tools.pkg",
        "1000\N{NO-BREAK SPACE}bytes",
        "5e" * 32,
        "ZIP archive",
        "Audit and enforce",
        "/Applications",
        "The Mac restarts afterwards",
        "<code>exit 1</code>",
    ):
        assert words in page, words


def test_the_page_of_a_package_says_who_signed_it_and_whether_it_reaches_macs(
    tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks
) -> None:
    client = sign_in()
    key = upload(client, Installer(bundles=(Bundle(identifier=XSS), Bundle())).data)
    run_tasks()
    client.post(f"{CUSTOM}new/", {**APP, "file_key": key})
    item = tenant.library_items.get()
    page = text(client.get(url(item)))
    for words in (NAME, "com.accuhive.vpn 4.2", "By MDM, without an agent"):
        assert words in page, words
    assert XSS not in page
    client.post(edit_url(item), {**APP, "preinstall_script": "#!/bin/zsh"})
    assert package_files.SCRIPTS in text(client.get(url(item)))
    file = tenant.files.get()
    file.metadata["package"] |= {"signer": "", "unsigned": "The package is not signed."}
    file.save()
    client.post(edit_url(item), APP)
    page = text(client.get(url(item)))
    assert "The package is not signed." in page
    assert NAME not in page


def test_a_download_is_a_link_made_now_for_those_who_may_replace_the_file(tenant: Tenant, sign_in: SignIn) -> None:
    item = CustomAppFactory.create(tenant=tenant)
    answer = sign_in(Role.STANDARD).get(url(item, "file/"))
    assert answer["Location"].startswith(f"{tenant.api_origin}/{item.custom_app.file_key}?auth=")
    assert "no-store" in answer["Cache-Control"]
    assert sign_in(Role.AUDITOR).get(url(item, "file/")).status_code == 403
    assert url(item, "file/") not in text(sign_in(Role.AUDITOR).get(url(item)))


def test_an_app_without_an_icon_shows_none(tenant: Tenant, sign_in: SignIn) -> None:
    item = IpaAppFactory.create(tenant=tenant)
    metadata = {**item.ipa_app.file.metadata, "icon": "", "ipad_icon": ""}
    tenant.files.update(metadata=metadata)
    client = sign_in()
    assert url(item, "icon/") not in text(client.get(url(item)))
    assert client.get(url(item, "icon/")).status_code == 404


def test_texts_of_apps_are_escaped(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    named = {"app_name": XSS, "app_identifier": XSS, "app_version": XSS, "minimum_os_version": XSS}
    file = PendingUploadFactory.create(tenant=tenant, name=XSS, expires_at=None)
    tenant.files.filter(pk=file.pk).update(metadata={**file.metadata, **named})
    file.refresh_from_db()
    items = [
        CustomAppFactory.create(tenant=tenant, name=XSS, audit_script=XSS, unzip_location=XSS),
        IpaAppFactory.create(tenant=tenant, name=XSS, file=file),
    ]
    for page in (*map(url, items), *map(edit_url, items)):
        assert "<script>alert(1)" not in text(client.get(page))
    waiting = StoredFileFactory.create(tenant=tenant, name=XSS, state="uploaded")
    assert "<script>alert(1)" not in text(client.post(f"{CUSTOM}new/", {**APP, "file_key": waiting.key}))


def test_a_kind_is_edited_at_its_own_page(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    app, ipa = CustomAppFactory.create(tenant=tenant), IpaAppFactory.create(tenant=tenant)
    for item, other in ((app, IPA), (ipa, CUSTOM)):
        assert client.get(url(item)).context["edit_url"] == edit_url(item)
        assert client.get(edit_url(item)).status_code == 200
        for page in (f"{other}{item.uuid}/edit/", url(item, "edit/")):
            assert client.get(page).status_code == 404


def test_an_archive_is_uploaded_with_its_place(tenant: Tenant, sign_in: SignIn, run_tasks: RunTasks) -> None:
    client = sign_in()
    key = upload(client, archive_file({"Tools.app/Contents/Info.plist": b""}), "Tools.zip")
    run_tasks()
    data = {**APP, "install_type": "zip", "unzip_location": "/Applications", "file_key": key}
    assert client.post(f"{CUSTOM}new/", data).status_code == 302
    assert tenant.library_items.get().custom_app.unzip_location == "/Applications"
