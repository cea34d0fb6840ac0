"""The API's door, through the whole of Django's handler: every call is answered in JSON, also where Django itself would
have shown a page."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, PermissionDenied, SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception
from django.db import connection
from django.http import Http404
from django.test import RequestFactory

from tests.types import Call, IssueToken, Response

HOSTS = ["accuhive.api.iru.test", "localhost"]  # of a tenant, and one that serves the API by its path
UNEXPECTED = (500, {"message": "An unexpected error occurred"})
UNREADABLE = (400, {"detail": "The request body could not be read."})
NO_ROUTE = (404, {"message": "no Route matched with those values"})

type Send = Callable[..., Response]


@pytest.fixture(params=HOSTS)
def send(request: Any, api: Call, issue_token: IssueToken) -> Send:
    token = issue_token("list_devices", "create_tag", "create_blueprint")

    def send(method: str, path: str, **options: Any) -> Response:
        return api(method, path, token, host=request.param, **options)

    return send


def answer(response: Response) -> tuple[int, Any]:
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json()


@pytest.mark.parametrize("host", ["bad host", "evil.test", "accuhive.api.iru.test:port", "", "a.b.test,iru.test"])
def test_a_bad_host_finds_no_route(api: Call, host: str) -> None:
    assert answer(api("GET", "/api/v1/devices", host=host or "?")) == NO_ROUTE


@pytest.mark.parametrize("host", ["bad host", "evil.test", "localhost:port"])
def test_a_bad_host_is_a_400_on_a_page(api: Call, host: str) -> None:
    response = api("GET", "/sign-in/", host=host)
    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_over_the_limit_is_a_413(send: Send, settings: Any, content_type: str) -> None:
    data = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    response = send("POST", "/api/v1/blueprints", data=data, content_type=content_type)
    assert answer(response) == (413, {"detail": "The request body is too large."})


def test_a_chunked_body_is_read_to_its_end_or_to_the_limit(send: Send, settings: Any) -> None:
    """Clients send bodies without a Content-Length where they do not know it; Granian marks where such a body ends."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    for size, status in ((2, 201), (limit - 20, 400), (limit + 1, 413)):
        body = BytesIO(b'{"name": "%s"}' % (b"x" * size))
        assert answer(send("POST", "/api/v1/tags", json="", **chunked, **{"wsgi.input": body}))[0] == status
    assert body.tell() == limit + 1


def test_a_form_of_too_many_fields_is_a_400(send: Send, settings: Any) -> None:
    data = "&".join(f"f{n}=" for n in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1))
    form = "application/x-www-form-urlencoded"
    assert answer(send("POST", "/api/v1/blueprints", data=data, content_type=form)) == UNREADABLE


def test_a_form_with_a_file_is_a_415(send: Send) -> None:
    data = b'--b\r\nContent-Disposition: form-data; name="name"; filename="a"\r\n\r\nx\r\n--b--\r\n'
    response = send("POST", "/api/v1/blueprints", data=data, content_type="multipart/form-data; boundary=b")
    assert answer(response) == (415, {"detail": "No file is accepted here."})


@pytest.mark.parametrize("boundary", ["", "; boundary="])
def test_a_form_that_cannot_be_read_is_a_400(send: Send, boundary: str) -> None:
    response = send("POST", "/api/v1/blueprints", data=b"--y", content_type=f"multipart/form-data{boundary}")
    assert answer(response) == UNREADABLE


@pytest.mark.parametrize("error", [SuspiciousOperation, DisallowedHost, PermissionDenied, Http404, RuntimeError])
@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("devices.api.operations.devices.record_page", "/api/v1/devices"),
        ("devices.api.identity.authenticate", "/api/v1/devices"),
        ("devices.api.routing.Endpoint.answer", "/api/v1/devices"),
    ],
)
def test_an_unexpected_error_is_a_json_500(
    send: Send, monkeypatch: pytest.MonkeyPatch, error: type[Exception], place: str, path: str
) -> None:
    def broken(*arguments: object, **keywords: object) -> None:
        raise error("secret detail")

    monkeypatch.setattr(place, broken)
    assert answer(send("GET", path)) == UNEXPECTED


def test_an_error_beside_every_path_is_a_json_500(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(subdomain: str) -> bool:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("devices.api.identity.is_active", broken)
    assert answer(api("GET", "/nothing")) == UNEXPECTED


def test_head_answers_as_get_without_the_body(send: Send) -> None:
    get, head = send("GET", "/api/v1/devices"), send("HEAD", "/api/v1/devices")
    assert (head.status_code, head.content) == (200, b"")
    changing = {name for name in get.headers if "RateLimit-Remaining" in name}
    assert {name for name in head.headers if "RateLimit-Remaining" in name} == changing
    assert all(head[name] == get[name] for name in get.headers if name not in changing)
    assert head.headers.keys() == get.headers.keys()


def test_no_middleware_of_the_pages_touches_the_answer(send: Send) -> None:
    response = send("GET", "/api/v1/devices", headers={"cookie": "session=x; csrf=y"})
    assert not response.cookies
    assert not {"Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "Vary"} & set(response.headers)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("host", HOSTS)
def test_a_connection_past_its_age_is_replaced_at_both_ends_of_a_call(host: str, issue_token: IssueToken) -> None:
    """Django does so at its signals, which its WSGI handler sends for the API's calls as for those of pages."""
    environ = {
        **RequestFactory().get("/api/v1/devices").META,
        "HTTP_HOST": host,
        "HTTP_AUTHORIZATION": f"Bearer {issue_token('list_devices').secret}",
    }
    statuses: list[str] = []

    def replaced(call: Callable[[], Any]) -> bool:
        before, connection.close_at = connection.connection, 0  # long ago
        call()
        return connection.connection is not before

    def start_response(status: str, *rest: Any) -> Callable[[bytes], object]:
        statuses.append(status)
        return bytes

    def start() -> None:
        answers.append(WSGIHandler()(environ, start_response))

    answers: list[Any] = []
    assert replaced(start)
    assert statuses == ["200 OK"]
    assert replaced(answers[0].close)
    assert not connection.settings_dict["ATOMIC_REQUESTS"]  # the transaction would be that of Django's views


def test_an_error_that_the_api_answers_is_not_one_of_djangos(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = []

    def failed(**keywords: Any) -> None:
        signals.append(keywords)

    def broken(*arguments: object, **keywords: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("devices.api.operations.devices.record_page", broken)
    got_request_exception.connect(failed)
    try:
        assert answer(send("GET", "/api/v1/devices")) == UNEXPECTED
    finally:
        got_request_exception.disconnect(failed)
    assert not signals
