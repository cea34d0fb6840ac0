"""The client against a tenant that is made up, answer by answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from devices.imports.tenant import client as tenant_import_client
from devices.imports.tenant.client import Denied, Missing, SourceTenant, TenantImportError

pytestmark = pytest.mark.slow

URL = "https://source.api.iru.test/api/v1"
TOKEN = "98765000-0000-4000-8000-000000000001"

type Handler = Callable[[httpx.Request], httpx.Response]


class Source:
    """A client whose calls `handler` answers. It records its requests, its waits and its notices, and no time passes
    but by its waits."""

    def __init__(self, handler: Handler, url: str = URL) -> None:
        self.asked: list[str] = []
        self.waited: list[float] = []
        self.notices: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            assert request.headers["Authorization"] == f"Bearer {TOKEN}"
            self.asked.append(str(request.url))
            return handler(request)

        self.client = SourceTenant(
            api_url=url,
            token=TOKEN,
            transport=httpx.MockTransport(answer),
            sleep=self.waited.append,
            clock=lambda: sum(self.waited),
            notice=self.notices.append,
        )

    @property
    def pauses(self) -> list[float]:
        """Waits that are longer than what keeps the pace."""
        return [seconds for seconds in self.waited if seconds > 0.5]


def in_turn(*responses: httpx.Response | Exception) -> Handler:
    rest = list(responses)

    def handler(request: httpx.Request) -> httpx.Response:
        response = rest.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    return handler


def json(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


OK = json({"ok": True})


@pytest.mark.parametrize("in_seconds", [True, False], ids=["seconds", "HTTP date"])
def test_it_waits_as_long_as_it_is_asked_to(in_seconds: bool) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=1800), usegmt=True)
    refusal = json({"message": "API rate limit exceeded"}, 429, Retry_After="1800" if in_seconds else moment)
    source = Source(in_turn(refusal, OK))
    assert source.client.get("tags") == {"ok": True}
    assert source.pauses == [pytest.approx(1800, abs=5)]
    assert source.notices[0].startswith("source.api.iru.test answered 429; going on in 1")


def test_waiting_is_limited_to_about_an_hour() -> None:
    source = Source(in_turn(json({}, 429, Retry_After="999999"), OK))
    source.client.get("tags")
    assert source.pauses == [pytest.approx(tenant_import_client.LONGEST_WAIT, abs=5)]


@pytest.mark.parametrize("failure", [json({}, 502), json({}, 503), json({}, 504), httpx.ConnectError("refused")])
def test_temporary_errors_are_retried(failure: Any) -> None:
    source = Source(in_turn(OK, failure, failure, OK))
    assert [source.client.get("tags") for _ in range(2)] == [{"ok": True}] * 2
    assert len(source.asked) == 4


def test_an_unreachable_source_is_reported_at_once() -> None:
    source = Source(in_turn(httpx.ConnectError("refused")), "http://localhost:8799/api/v1")
    with pytest.raises(TenantImportError, match=r"^localhost:8799 cannot be reached \(ConnectError\)\.$"):
        source.client.get("tags")
    assert source.pauses == []


def test_it_gives_up_in_the_end() -> None:
    source = Source(in_turn(OK, *[httpx.ConnectError(f"no route for {TOKEN}")] * tenant_import_client.ATTEMPTS))
    source.client.get("tags")
    with pytest.raises(TenantImportError, match=r"^source\.api\.iru\.test cannot be reached \(ConnectError\)") as error:
        source.client.get("tags")
    assert TOKEN not in str(error.value)
    assert all(seconds < 80 for seconds in source.waited)


def test_it_waits_longer_after_every_failure() -> None:
    source = Source(in_turn(*[json({}, 503)] * tenant_import_client.ATTEMPTS))
    with pytest.raises(TenantImportError, match="answered 503, 8 times in a row"):
        source.client.get("tags")
    assert source.pauses == [1, 2, 4, 8, 16, 32, 60]
    assert [notice.rpartition("; ")[2] for notice in source.notices] == [
        f"going on in {seconds} seconds." for seconds in (16, 32, 60)
    ]


def test_it_keeps_its_pace() -> None:
    source = Source(lambda request: json({}))
    for _ in range(20):
        source.client.get("tags")
    assert source.waited == [pytest.approx(1 / tenant_import_client.RATE)] * 19


def test_pages_are_followed() -> None:
    pages = [{"results": [1], "next": f"{URL}/users?cursor=a%3D"}, {"results": [2], "next": None}]
    source = Source(in_turn(*map(json, pages)))
    assert list(source.client.pages("users", sizePerPage=300)) == [[1], [2]]
    assert source.asked == [f"{URL}/users?sizePerPage=300", f"{URL}/users?cursor=a%3D"]


def test_arrays_are_paged_until_one_is_short() -> None:
    source = Source(in_turn(json([1, 2]), json([3])))
    assert list(source.client.arrays("devices", limit=2)) == [[1, 2], [3]]
    assert source.asked == [f"{URL}/devices?limit=2&offset=0", f"{URL}/devices?limit=2&offset=2"]


@pytest.mark.parametrize(
    "next_",
    [
        "https://elsewhere.test/api/v1/users?cursor=a",
        "https://source.api.iru.test:8443/api/v1/users",
        "http://source.api.iru.test/api/v1/users",
        "//elsewhere.test/users",
        "https://source.api.iru.test@elsewhere.test/users",
    ],
)
def test_the_token_stays_with_its_tenant(next_: str) -> None:
    page = Source(in_turn(json({"results": [], "next": next_})))
    with pytest.raises(TenantImportError, match="The next page is on another host"):
        list(page.client.pages("users"))
    redirect = Source(in_turn(httpx.Response(302, headers={"Location": next_})))
    with pytest.raises(TenantImportError, match=r"The redirect of .* is on another host"):
        redirect.client.get("users")
    assert len(page.asked) == len(redirect.asked) == 1


def test_a_redirect_within_the_host_is_followed() -> None:
    source = Source(in_turn(httpx.Response(301, headers={"Location": "/api/v1/tags/"}), OK))
    assert source.client.get("tags") == {"ok": True}
    assert source.asked[1] == f"{URL}/tags/"


def test_a_list_that_never_ends_is_told() -> None:
    page = {"results": [1], "next": f"{URL}/users?cursor=a"}
    source = Source(in_turn(*[json(page)] * 3))
    with pytest.raises(TenantImportError, match="its own next page"):
        list(source.client.pages("users"))


def test_pages_inside_an_answer_end_also_where_the_source_does_not() -> None:
    def rows(*ids: int, more: bool) -> httpx.Response:
        return json({"activity": {"count": 9, "next": "x" if more else None, "results": list(ids)}})

    source = Source(in_turn(rows(1, 2, more=True), rows(3, more=False)))
    assert list(source.client.nested("devices/1/activity", "activity", limit=2)) == [[1, 2], [3]]
    assert [url.rpartition("?")[2] for url in source.asked] == ["limit=2&offset=0", "limit=2&offset=2"]
    endless = Source(lambda request: rows(1, 2, more=True))
    with pytest.raises(TenantImportError, match="the same page"):
        list(endless.client.nested("devices/1/activity", "activity"))
    odd = Source(lambda request: json({"activity": []}))
    with pytest.raises(TenantImportError, match="did not answer a page of activity"):
        list(odd.client.nested("devices/1/activity", "activity"))


@pytest.mark.parametrize(
    "url",
    [
        "http://source.api.iru.test/api/v1",
        "ftp://localhost/",
        "https://user@host/",
        "https://host/?a=1",
        "https://host/",
        "x",
        "",
    ],
)
def test_addresses_that_a_token_is_not_sent_to(url: str) -> None:
    with pytest.raises(TenantImportError):
        Source(in_turn(), url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8000/api/v1/", "http://127.0.0.1/api/v1", "http://[::1]:8000/api/v1"]
)
def test_this_machine_needs_no_https(url: str) -> None:
    source = Source(in_turn(OK), url)
    source.client.get("tags")
    assert source.asked == [f"{url.rstrip('/')}/tags"]


def test_what_answers_mean() -> None:
    missing = {"missing_permission": {"http_method": "GET", "path": "/api/v1/tags", "label": "Get Tags"}}
    source = Source(
        in_turn(
            json({}, 401),
            json({"detail": "…", **missing}, 403),
            json({"detail": "…"}, 403),
            json({"detail": "Not found."}, 404),
            json({"message": "no Route matched with those values"}, 404),
            httpx.Response(404, text="<h1>Not Found</h1>"),
            json({}, 500),
            httpx.Response(200, text="<html>"),
        )
    )
    for error, words in (
        (TenantImportError, "refused the token"),
        (Denied, r"^the token lacks the permission Get Tags \(GET /api/v1/tags\)$"),
        (Denied, r"^the token lacks the permission \(403\)$"),
        (Missing, None),
        (Denied, "does not serve it"),
        (Denied, "does not serve it"),
        (TenantImportError, "answered 500"),
        (TenantImportError, "no JSON"),
    ):
        with pytest.raises(error, match=words):
            source.client.get("tags")


def test_a_closed_client_does_not_wait() -> None:
    source = Source(in_turn())
    source.client.close()
    with pytest.raises(TenantImportError, match="Stopped"):
        source.client.get("tags")
