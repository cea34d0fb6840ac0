"""Who may call what: generated from the declared operations, so that a new one is covered the moment it is declared."""

import uuid
from typing import Any

import pytest
from django.test import Client

from access.models import Administrator, Tenant
from access.tokens.authentication import NO_HEADER, OTHER_SCHEME
from devices.api import api as endpoint_api
from devices.api.routing import Operation
from tests.devices.api import examples
from tests.devices.api.examples import EVERY_PERMISSION
from tests.factories.access import ApiTokenFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response

pytestmark = pytest.mark.slow

# The router and the guard decide these before a query of the operation; the look-up of a token is tested on both.
once = pytest.mark.sqlite_only
OPERATIONS = endpoint_api.operations
GUARDED = [operation for operation in OPERATIONS if not operation.open]
PERMITTED = [operation for operation in OPERATIONS if operation.permission]
WITH_OBJECTS = [operation for operation in GUARDED if examples.parameters(operation)]


def named(operations: list[Operation]) -> Any:
    return pytest.mark.parametrize("operation", operations, ids=lambda operation: operation.id)


@pytest.fixture
def call(api: Call, tenant: Tenant) -> Call:
    def call(operation: Operation, token: IssuedApiToken | str | None = None, **options: Any) -> Response:
        values = options.pop("values", None) or examples.objects(operation, tenant)
        options.setdefault("json", examples.body(operation))
        options.setdefault("host", tenant.api_host)
        return api(operation.method, examples.path(operation, values), token, **options)

    return call


@once
@named(GUARDED)
def test_no_live_token_answers_one_401(
    operation: Operation, call: Call, issue_token: IssueToken, other_tenant: Tenant
) -> None:
    foreign = ApiTokenFactory.create(tenant=other_tenant, permissions=EVERY_PERMISSION)
    missing = {
        "none": call(operation),
        "empty": call(operation, headers={"authorization": ""}),
        "no secret": call(operation, headers={"authorization": "Bearer "}),
        "basic": call(operation, headers={"authorization": "Basic dXNlcjpwYXNz"}),
    }
    sent = {
        "garbage": call(operation, "garbage"),
        "unknown": call(operation, str(uuid.uuid4())),
        "revoked": call(operation, issue_token(*EVERY_PERMISSION, revoked=True)),
        "expired": call(operation, issue_token(*EVERY_PERMISSION, expired=True)),
        "other tenant": call(operation, foreign.secret),
    }
    answers = {**missing, **sent}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 401)
    # Nothing tells a token that exists from one that does not.
    assert {answer.content for answer in sent.values()} == {b'{"detail":"A valid API token is required."}'}
    hints = {name: answer.json().pop("hint", "") for name, answer in missing.items()}
    assert hints == {"none": NO_HEADER, "empty": NO_HEADER, "no secret": "", "basic": OTHER_SCHEME}
    assert all(answer.json()["detail"] == "A valid API token is required." for answer in missing.values())
    assert {answer["WWW-Authenticate"] for answer in missing.values()} == {"Bearer"}
    assert {answer["WWW-Authenticate"] for answer in sent.values()} == {'Bearer error="invalid_token"'}


@once
@named(GUARDED)
def test_an_inactive_tenant_is_not_found(
    operation: Operation, call: Call, issue_token: IssueToken, tenant: Tenant
) -> None:
    token = issue_token(*EVERY_PERMISSION)
    values = examples.objects(operation, tenant)
    Tenant.objects.filter(pk=tenant.pk).update(active=False)
    answer = call(operation, token, values=values)
    assert (answer.status_code, answer.json()) == (404, {"error": "tenantNotFound"})
    assert call(operation, token, values=values, host="localhost").status_code == 401


@once
@named(PERMITTED)
def test_without_its_permission_403_names_it_before_anything_is_parsed(
    operation: Operation, call: Call, issue_token: IssueToken
) -> None:
    assert operation.permission
    others = issue_token(*(codename for codename in EVERY_PERMISSION if codename != operation.permission.codename))
    nonsense = dict.fromkeys(examples.parameters(operation), "nonsense")
    for answer in (
        call(operation, others),
        call(operation, issue_token()),
        call(operation, others, values=nonsense, json=None, data=b"{", content_type="text/plain"),
    ):
        assert answer.status_code == 403
        assert answer.json() == {
            "detail": "You do not have permission to perform this action.",
            "missing_permission": {
                "http_method": operation.method,
                "path": operation.path,
                "label": operation.label,
            },
            "permission": operation.permission.codename,
            "permissions_url": answer.json()["permissions_url"],
        }


def test_a_403_has_the_address_of_the_page_that_adds_the_permission(
    api: Call, issue_token: IssueToken, owner: Administrator, client: Client, settings: Any
) -> None:
    settings.IRU_PORT = 8443
    token = issue_token()
    address = api("GET", "/api/v1/devices", token).json()["permissions_url"]
    path = f"/access/tokens/{token.id}/permissions/edit/"
    assert address == f"{settings.IRU_SCHEME}://{settings.IRU_WEB_HOSTS[0]}:8443{path}"
    client.force_login(owner)
    assert "Device list" in client.get(path).content.decode()


@named(PERMITTED)
def test_its_permission_alone_is_enough(operation: Operation, call: Call, issue_token: IssueToken) -> None:
    assert operation.permission
    answer = call(operation, issue_token(operation.permission.codename))
    assert answer.status_code == operation.status
    assert answer["Content-Type"] == operation.doc.media_type
    served = {each.method for each in OPERATIONS if each.path.rstrip("/") == operation.path.rstrip("/")}
    assert set(answer["Allow"].split(", ")) == (served | {"HEAD"} if "GET" in served else served)


@named(WITH_OBJECTS)
def test_other_tenants_object_answers_404_like_a_missing_one(
    operation: Operation, call: Call, issue_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    token = issue_token(*EVERY_PERMISSION)
    own = examples.objects(operation, tenant)
    foreign = examples.objects(operation, other_tenant)
    for parameter in examples.parameters(operation):
        answers = [
            call(operation, token, values={**own, parameter: value})
            for value in (foreign[parameter], uuid.uuid4(), "no-id", f"{{{foreign[parameter]}}}", "%00", "0" * 5000)
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(404, b'{"detail":"Not found."}')}
    theirs = ApiTokenFactory.create(tenant=other_tenant, permissions=EVERY_PERMISSION)
    assert call(operation, theirs, values=foreign, host=other_tenant.api_host).status_code == operation.status


@once
@named(GUARDED)
def test_both_slash_forms_answer_without_a_redirect(
    operation: Operation, call: Call, api: Call, issue_token: IssueToken, tenant: Tenant
) -> None:
    token = issue_token(*EVERY_PERMISSION)
    for ending in ("", "/"):
        path = examples.path(operation, examples.objects(operation, tenant), ending)
        json = examples.body(operation)
        if json and ending:
            # Two items may have one file.
            json = {
                name: f"{value} again" if value == "example" and name != "file_key" else value
                for name, value in json.items()
            }
        assert api(operation.method, path, token, json=json).status_code == operation.status
        assert api(operation.method, path, host=tenant.api_host).status_code == 401


@once
@named(OPERATIONS)
def test_unknown_query_parameters_are_ignored(
    operation: Operation, call: Call, api: Call, issue_token: IssueToken, tenant: Tenant
) -> None:
    path = examples.path(operation, examples.objects(operation, tenant))
    query = f"{'&' if '?' in path else '?'}source=iructl&sort=x&_="
    answer = api(operation.method, path + query, issue_token(*EVERY_PERMISSION), json=examples.body(operation))
    assert answer.status_code == operation.status


@once
@pytest.mark.parametrize("path", sorted({operation.path for operation in GUARDED}))
def test_a_method_that_a_path_does_not_have(path: str, api: Call, issue_token: IssueToken) -> None:
    known = {operation.method for operation in GUARDED if operation.path.rstrip("/") == path.rstrip("/")}
    allowed = {*known, "HEAD"} if "GET" in known else known
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - known:
        answer = api(method, path, issue_token())
        assert answer.status_code == 405
        assert answer.json() == {"detail": f'Method "{method}" not allowed.'}
        assert set(answer["Allow"].split(", ")) == allowed
        assert api(method, path).status_code == 401


def test_a_token_of_a_tenant_opens_only_that_tenants_host(
    api: Call, issue_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    token = issue_token("list_devices")
    assert api("GET", "/api/v1/devices", token).status_code == 200
    assert api("GET", "/api/v1/devices", token, host=other_tenant.api_host).status_code == 401
    unknown = api("GET", "/api/v1/devices", token, host="nobody.api.iru.test")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "tenantNotFound"})
    assert api("GET", "/api/v1/devices", token, host="localhost").status_code == 200  # the bare host of a quick start


@pytest.mark.parametrize("host", ["accuhive.api.iru.test", "localhost"])
@pytest.mark.parametrize(
    "path",
    ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v3/devices", "/app/v1/nothing", "/api", "/api/", "/api/devices/"],
)
def test_an_unknown_path_is_no_route(host: str, path: str, api: Call, tenant: Tenant) -> None:
    answer = api("GET", path, host=host)
    assert (answer.status_code, answer.json()) == (404, {"message": "no Route matched with those values"})


def test_an_api_host_serves_no_page_and_sets_no_cookie(api: Call, issue_token: IssueToken) -> None:
    for path in ("/", "/sign-in/", "/admin/", "/static/css/base.css"):
        answer = api("GET", path)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert not api("GET", "/api/v1/token", issue_token(), headers={"cookie": "session=x; csrf=y"}).cookies


def test_a_token_outside_the_authorization_header_is_ignored(api: Call, issue_token: IssueToken) -> None:
    secret = issue_token("list_devices", "create_tag").secret
    assert api("GET", f"/api/v1/devices?token={secret}&access_token={secret}").status_code == 401
    assert api("POST", "/api/v1/tags", json={"name": "x", "token": secret}).status_code == 401
    assert api("GET", "/api/v1/devices", headers={"cookie": f"token={secret}", "x-api-key": secret}).status_code == 401


def test_the_scheme_and_the_secret_are_read_in_any_case(api: Call, issue_token: IssueToken) -> None:
    secret = issue_token("list_devices").secret
    for value in (f"bearer {secret}", f"BEARER {secret}", f"Bearer {secret.upper()}", f"Bearer  {secret} "):
        assert api("GET", "/api/v1/devices", headers={"authorization": value}).status_code == 200


def test_a_revoked_token_is_refused_from_the_next_call_on(api: Call, issue_token: IssueToken, owner: Any) -> None:
    from access.audit.events import Actor
    from access.tokens.lifecycle import revoke_token, set_permissions

    token = issue_token("list_devices")
    assert api("GET", "/api/v1/devices", token).status_code == 200
    set_permissions(
        tenant=token.tenant, token_id=token.id, permissions=[], version=token.version, actor=Actor.of(owner)
    )
    assert api("GET", "/api/v1/devices", token).status_code == 403
    revoke_token(tenant=token.tenant, token_id=token.id, actor=Actor.of(owner))
    assert api("GET", "/api/v1/devices", token).status_code == 401


def test_an_unexpected_error_is_a_json_500_without_details(
    api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("devices.api.operations.devices.record_page", broken)
    answer = api("GET", "/api/v1/devices", issue_token("list_devices"))
    assert (answer.status_code, answer.json()) == (500, {"message": "An unexpected error occurred"})


def test_a_lost_database_answers_503_with_retry_after(
    api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def lost(*args: object, **kwargs: object) -> None:
        raise OperationalError("server closed the connection: SELECT secret")

    monkeypatch.setattr("devices.api.identity.authenticate", lost)
    answer = api("GET", "/api/v1/devices", str(uuid.uuid4()))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert b"SELECT" not in answer.content
