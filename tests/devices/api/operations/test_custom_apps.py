"""Custom apps, as published clients create, replace and read them."""

import hashlib
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.demo.app_uploads import archive_file, image_file, package_file
from devices.library import categories
from devices.models import LibraryItem, StoredFile
from tests.devices.files.forms import FORM, file, form
from tests.factories.devices import CustomAppFactory, PendingUploadFactory, StoredFileFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response, RunTasks

URL = "/api/v1/library/custom-apps"
FORMS = "application/x-www-form-urlencoded"
PACKAGE = package_file() + bytes(5000)
PROCESSING = {"detail": "The upload is still being processed."}


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        "upload_custom_app",
        "create_custom_app",
        "update_custom_app",
        "get_custom_app",
        "list_custom_apps",
        "delete_custom_app",
    )


@pytest.fixture
def fields(tenant: Tenant) -> dict[str, Any]:
    """The body that creates an app. Its file is uploaded."""
    stored = StoredFileFactory.create(tenant=tenant)
    return {"name": "Tools", "file_key": stored.key, "install_type": "package", "install_enforcement": "install_once"}


def upload(api: Call, token: IssuedApiToken, content: bytes, name: str = "Tools.pkg") -> str:
    """Upload the content. Returns its key."""
    reserved = api("POST", f"{URL}/upload", token, data=urlencode({"name": name}), content_type=FORMS)
    assert reserved.status_code == 201
    place = reserved.json()
    assert list(place) == ["name", "expires", "post_url", "post_data", "file_key"]
    assert (place["name"], place["post_data"]["key"]) == (name, place["file_key"])
    parts = urlsplit(place["post_url"])
    body = form(place["post_data"], file(content))
    posted = Client().generic("POST", parts.path, body, content_type=FORM, headers={"host": parts.netloc})
    assert posted.status_code == 204
    return str(place["file_key"])


def download(url: str) -> bytes:
    parts = urlsplit(url)
    answer: Any = Client().get(f"{parts.path}?{parts.query}", headers={"host": parts.netloc})
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def test_an_app_is_created_once_its_file_is_proven(api: Call, token: IssuedApiToken, run_tasks: RunTasks) -> None:
    key = upload(api, token, PACKAGE)
    body = urlencode(
        {
            "name": "Tools",
            "file_key": key,
            "install_type": "package",
            "install_enforcement": "install_once",
            "active": "True",
            "restart": "false",
        }
    )
    # GoReleaser and KAPPA send the identical form again.
    for _ in range(2):
        early = api("POST", f"{URL}?source=KAPPA", token, data=body, content_type=FORMS)
        assert (early.status_code, early.json(), early["Retry-After"]) == (503, PROCESSING, "1")
    assert not LibraryItem.objects.exists()
    run_tasks()
    created = api("POST", f"{URL}?source=KAPPA", token, data=body, content_type=FORMS)
    app = created.json()
    assert created.status_code == 201
    assert (app["sha256"], app["file_size"]) == (hashlib.sha256(PACKAGE).hexdigest(), len(PACKAGE))
    assert (app["active"], app["restart"], app["show_in_self_service"]) == (True, False, False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", app["file_updated"])
    assert "self_service_category_id" not in app
    assert download(app["file_url"]) == PACKAGE
    again = api("GET", f"{URL}/{app['id']}", token).json()
    assert {**again, "file_url": ""} == {**app, "file_url": ""}
    assert api("GET", URL, token).json()["results"][0]["sha256"] == app["sha256"]


def test_the_file_alone_is_replaced(api: Call, token: IssuedApiToken, run_tasks: RunTasks, tenant: Tenant) -> None:
    key = upload(api, token, PACKAGE)
    run_tasks()
    fields = {"name": "Tools", "file_key": key, "install_type": "package", "install_enforcement": "install_once"}
    app = api("POST", URL, token, json=fields).json()
    newer = upload(api, token, PACKAGE + b"2")
    change: dict[str, Any] = {"data": urlencode({"file_key": newer}), "content_type": FORMS}
    path = f"{URL}/{app['id']}"
    assert api("PATCH", path, token, **change).json() == PROCESSING
    assert api("GET", path, token).json()["file_key"] == key
    run_tasks()
    changed = api("PATCH", path, token, **change).json()
    assert {name for name in app if app[name] != changed[name]} >= {"file_key", "sha256", "file_size", "file_url"}
    assert download(changed["file_url"]) == PACKAGE + b"2"
    assert tenant.files.get(key=newer).expires_at is None
    assert tenant.files.get(key=key).expires_at is not None, "nothing uses the former file any more"
    assert download(app["file_url"]) == PACKAGE, "but a download that began goes on"


def test_a_deleted_app_takes_its_file_with_it_unless_another_has_it(
    api: Call, token: IssuedApiToken, fields: dict[str, Any], tenant: Tenant
) -> None:
    first, second = (api("POST", URL, token, json=fields).json()["id"] for _ in range(2))
    stored = tenant.files.get(key=fields["file_key"])
    assert api("DELETE", f"{URL}/{first}", token).status_code == 204
    stored.refresh_from_db()
    assert stored.expires_at is None
    assert api("DELETE", f"{URL}/{second}", token).status_code == 204
    stored.refresh_from_db()
    assert stored.expires_at is not None
    missing = api("DELETE", f"{URL}/{second}", token)
    assert (missing.status_code, missing.json()) == (404, {"detail": "Not found."})


NO_ENFORCEMENT = {"install_enforcement": "no_enforcement"}
AUDITED = {"install_enforcement": "continuously_enforce"}
RULES: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    (NO_ENFORCEMENT, {"show_in_self_service": ["Required when not enforcing install"]}),
    (AUDITED, {"audit_script": ["Required when choosing continuously_enforce"]}),
    ({**AUDITED, "audit_script": " \n"}, {"audit_script": ["Required when choosing continuously_enforce"]}),
    ({**AUDITED, "audit_script": "exit 0"}, None),
    ({"audit_script": "exit 0"}, {"audit_script": ["Only allowed when choosing continuously_enforce"]}),
    ({"install_type": "zip"}, {"unzip_location": ["Required when choosing zip"]}),
    ({"install_type": "zip", "unzip_location": "/Applications"}, None),
    ({"show_in_self_service": True}, {"self_service_category_id": ["Required when showing in self service"]}),
    ({"show_in_self_service": "True", "self_service_category_id": "CATEGORY"}, None),
    ({**NO_ENFORCEMENT, "show_in_self_service": True, "self_service_category_id": "CATEGORY"}, None),
    ({"self_service_recommended": True}, None),
    ({"install_type": "exe"}, {"install_type": ['"exe" is not a valid choice.']}),
]


@pytest.mark.parametrize(("changes", "error"), RULES)
@pytest.mark.parametrize("as_form", [False, True])
def test_companion_fields(
    api: Call,
    token: IssuedApiToken,
    fields: dict[str, Any],
    tenant: Tenant,
    changes: dict[str, Any],
    error: dict[str, Any] | None,
    as_form: bool,
) -> None:
    category = str(categories.categories(tenant)[0].uuid)
    body = {name: category if value == "CATEGORY" else value for name, value in {**fields, **changes}.items()}
    sent: dict[str, Any] = {"data": urlencode(body), "content_type": FORMS} if as_form else {"json": body}
    answer = api("POST", URL, token, **sent)
    if error:
        assert (answer.status_code, answer.json()) == (400, error)
        assert not LibraryItem.objects.exists()
        return
    app = answer.json()
    assert answer.status_code == 201
    shown = {"self_service_category_id", "self_service_recommended"} <= app.keys()
    assert shown == app["show_in_self_service"]


def test_a_body_without_a_content_type_is_a_form_or_json(
    api: Call, token: IssuedApiToken, fields: dict[str, Any]
) -> None:
    for data in (urlencode(fields), orjson.dumps(fields)):
        assert api("POST", URL, token, data=data, content_type="").status_code == 201
    assert api("POST", URL, token, data=b"<app/>", content_type="text/xml").status_code == 415


def test_scripts_lose_the_blanks_at_their_end_only(api: Call, token: IssuedApiToken, fields: dict[str, Any]) -> None:
    scripts = {name: f"  {name}\n \n" for name in ("preinstall_script", "postinstall_script")}
    app = api("POST", URL, token, json={**fields, **scripts}).json()
    assert {name: app[name] for name in scripts} == {name: f"  {name}" for name in scripts}


@pytest.mark.parametrize(
    ("content", "install_type", "status"),
    [
        (package_file(), "package", 201),
        (package_file(), "image", 400),
        (archive_file({"a": b""}), "zip", 201),
        (archive_file({"a": b""}), "package", 400),
        (image_file(), "image", 201),
        (image_file(), "zip", 400),
        (b"of no known kind", "package", 201),
    ],
)
def test_a_file_that_shows_another_type_is_refused(
    api: Call, token: IssuedApiToken, run_tasks: RunTasks, content: bytes, install_type: str, status: int
) -> None:
    key = upload(api, token, content)
    run_tasks()
    body = {"name": "Tools", "file_key": key, "install_type": install_type, "install_enforcement": "install_once"}
    answer = api("POST", URL, token, json={**body, "unzip_location": "/Applications"})
    assert answer.status_code == status, answer.content
    assert status == 201 or list(answer.json()) == ["install_type"]


def test_only_a_proven_upload_of_this_tenant_is_used(
    api: Call, token: IssuedApiToken, fields: dict[str, Any], tenant: Tenant, other_tenant: Tenant
) -> None:
    others = {
        "unknown": "tenants/nothing.pkg",
        "foreign": StoredFileFactory.create(tenant=other_tenant).key,
        "an ipa": PendingUploadFactory.create(tenant=tenant).key,
        "deleted": StoredFileFactory.create(tenant=tenant, state="deleted").key,
    }
    answers = [api("POST", URL, token, json={**fields, "file_key": key}) for key in others.values()]
    assert {(each.status_code, each.content) for each in answers} == {
        (400, b'{"file_key":["No upload has this key."]}')
    }
    for state, reason in (("reserved", "This file has not been uploaded."), ("damaged", "Damaged.")):
        stored = StoredFileFactory.create(tenant=tenant, state=state, reason=reason if state == "damaged" else "")
        answer: Response = api("POST", URL, token, json={**fields, "file_key": stored.key})
        assert (answer.status_code, answer.json()) == (400, {"file_key": [reason]})


def test_the_queries_do_not_grow_with_the_list(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CustomAppFactory.create_batch(20, tenant=tenant)
    with django_assert_num_queries(3):  # the token, the number of apps, the apps
        assert len(api("GET", URL, token).json()["results"]) == 20


def test_the_activity_names_what_changed(
    api: Call, token: IssuedApiToken, fields: dict[str, Any], tenant: Tenant
) -> None:
    app = api("POST", URL, token, json=fields).json()
    api("PATCH", f"{URL}/{app['id']}", token, json={"name": "More tools", "restart": True})
    edited, created = tenant.library_activity.order_by("-pk")
    assert (created.activity_type, edited.activity_type) == ("library_item_created", "library_item_edited")
    assert edited.details is not None
    assert sorted(edited.details) == ["Name: Tools → More tools", "Restart: False → True"]
    assert StoredFile.objects.get().expires_at is None
