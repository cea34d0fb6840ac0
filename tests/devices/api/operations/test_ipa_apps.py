"""In-house apps: upload, status, creation, and the answers for a refused file."""

import hashlib
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from access.models import Tenant
from devices.demo.app_uploads import icon_file, ipa_file
from devices.models import StoredFile
from devices.storage import upkeep
from devices.storage.backends import files_storage
from devices.storage.checks import check_file
from tests.devices.api.operations.test_custom_apps import download
from tests.devices.files.forms import FORM, file, form
from tests.factories.devices import PendingUploadFactory
from tests.types import Call, IssuedApiToken, IssueToken, RunTasks

URL = "/api/v1/library/ipa-apps"
IPA = ipa_file()
SHA256 = hashlib.sha256(IPA).hexdigest()


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        "upload_ipa_app",
        "get_ipa_upload_status",
        "create_ipa_app",
        "update_ipa_app",
        "get_ipa_app",
        "list_ipa_apps",
        "delete_ipa_app",
    )


def reserve(api: Call, token: IssuedApiToken) -> Any:
    answer = api("POST", f"{URL}/upload", token, json={"filename": "Sammy.ipa"})
    assert answer.status_code == 201
    return answer.json()


def post(place: Any, content: bytes) -> None:
    parts = urlsplit(place["post_url"])
    body = form(place["post_data"], file(content))
    posted = Client().generic("POST", parts.path, body, content_type=FORM, headers={"host": parts.netloc})
    assert posted.status_code == 204


def status(api: Call, token: IssuedApiToken, place: Any) -> Any:
    answer = api("GET", f"{URL}/upload/{place['id']}/status", token)
    assert answer.status_code == 200
    return answer.json()


def test_the_five_bodies_of_the_status(api: Call, token: IssuedApiToken, run_tasks: RunTasks) -> None:
    place = reserve(api, token)
    assert list(place) == ["id", "filename", "sha256", "expires", "post_url", "post_data", "file_key"]
    assert re.fullmatch(r"Sammy_[0-9a-f]{8}\.ipa", place["filename"])
    assert (place["sha256"], place["file_key"]) == (None, place["post_data"]["key"])
    assert place["file_key"].endswith(f"/library/ipa_apps/{place['filename']}")
    assert status(api, token, place) == {
        "reason": "The checksum for the IPA file is still being calculated",
        "status": "UPLOADING",
    }
    post(place, IPA)
    assert status(api, token, place) == {"reason": "The IPA file is still being validated", "status": "UPLOADED"}
    files_storage().write(place["file_key"], [b"damaged"])
    run_tasks()
    assert status(api, token, place) == {
        "reason": "The checksum for the IPA file does not match the expected value",
        "sha256": hashlib.sha256(b"damaged").hexdigest(),
        "status": "UPLOAD_FAILED",
    }
    post(place, b"no archive")
    run_tasks()
    assert status(api, token, place) == {
        "reason": "The file is not an IPA: it is not a ZIP archive, or it is damaged.",
        "sha256": hashlib.sha256(b"no archive").hexdigest(),
        "status": "VALIDATE_FAILED",
    }
    post(place, IPA)
    run_tasks()
    proven = status(api, token, place)
    assert list(proven) == ["metadata", "sha256", "status"]
    assert (proven["sha256"], proven["status"]) == (SHA256, "VALIDATED")
    metadata, stem = proven["metadata"], place["file_key"].removesuffix(".ipa")
    app_icon = metadata.pop("app_icon")
    assert metadata == {
        "app_identifier": "com.accuhive.expenses",
        "app_name": "Expenses",
        "app_version": "3.2.1",
        "file_key": place["file_key"],
        "file_size": len(IPA),
        "icon": f"{stem}-Icon.png",
        "icon_path": "AppIcon60x60",
        "ipad_icon": f"{stem}-IpadIcon.png",
        "ipad_icon_path": "AppIcon76x76",
        "minimum_os_version": "17.0",
        "supported_device_families": ["iPhone", "iPad"],
    }
    assert download(app_icon) == icon_file(120)


def create(api: Call, token: IssuedApiToken, run_tasks: RunTasks, **fields: Any) -> Any:
    place = reserve(api, token)
    post(place, IPA)
    body = {"name": "Expenses", "file_key": place["file_key"], **fields}
    early = api("POST", URL, token, json=body)
    assert (early.status_code, early.json()) == (503, {"detail": "The upload is still being processed."})
    run_tasks()
    created = api("POST", URL, token, json=body)
    assert created.status_code == 201
    return created.json()


def test_an_app_is_created_from_what_its_file_says(
    api: Call, token: IssuedApiToken, run_tasks: RunTasks, tenant: Tenant
) -> None:
    app = create(api, token, run_tasks)
    assert (app["app_identifier"], app["app_version"], app["sha256"]) == ("com.accuhive.expenses", "3.2.1", SHA256)
    assert [app[f"runs_on_{family}"] for family in ("iphone", "ipad", "tv", "mac")] == [True, True, False, False]
    assert re.match(r"http://accuhive\.api\.iru\.test/tenants/[0-9a-f-]{36}/library/ipa_apps/Sammy_", app["file_url"])
    assert download(app["file_url"]) == IPA
    again = api("GET", f"{URL}/{app['id']}", token).json()
    assert {**again, "file_url": ""} == {**app, "file_url": ""}
    assert not tenant.files.exclude(expires_at=None).exists(), "the icons stay with the file"
    assert api("DELETE", f"{URL}/{app['id']}", token).status_code == 204
    assert not tenant.files.filter(expires_at=None).exists()


def test_the_caller_says_where_an_app_runs(api: Call, token: IssuedApiToken, run_tasks: RunTasks) -> None:
    app = create(api, token, run_tasks, runs_on_tv=True)
    assert [app[f"runs_on_{family}"] for family in ("iphone", "ipad", "tv")] == [False, False, True]
    changed = api("PATCH", f"{URL}/{app['id']}", token, json={"name": "Spesen", "runs_on_ipad": True}).json()
    assert (changed["name"], changed["runs_on_ipad"], changed["runs_on_tv"]) == ("Spesen", True, True)


def test_a_check_that_never_ended_is_a_failure(
    api: Call, token: IssuedApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = reserve(api, token)
    post(place, IPA)
    monkeypatch.setattr(upkeep, "LONGEST_CHECK", timedelta(0))
    upkeep.clean_up_files.call()
    assert status(api, token, place) == {
        "reason": "The IPA file validation timed out",
        "sha256": SHA256,
        "status": "VALIDATE_FAILED",
    }
    post(place, IPA)
    assert status(api, token, place)["status"] == "UPLOADED"


def test_a_check_that_runs_twice_changes_nothing(api: Call, token: IssuedApiToken, run_tasks: RunTasks) -> None:
    place = reserve(api, token)
    post(place, IPA)
    run_tasks()
    before = list(StoredFile.objects.order_by("pk").values())
    file_id = StoredFile.objects.get(key=place["file_key"]).pk
    check_file.call(file_id, 1)
    assert list(StoredFile.objects.order_by("pk").values()) == before


def test_another_tenants_upload_is_unknown(api: Call, token: IssuedApiToken, other_tenant: Tenant) -> None:
    foreign = PendingUploadFactory.create(tenant=other_tenant)
    assert api("GET", f"{URL}/upload/{foreign.uuid}/status", token).status_code == 404
