import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from access.http.middleware import HostMiddleware, ProxyMiddleware
from access.models import Administrator, Tenant
from access.sign_in.sessions import SessionStore
from tests.types import IssueToken

type Seen = list[Any]


def pass_through(middleware: Callable[..., Any], request: HttpRequest) -> tuple[HttpResponse, Any]:
    """The answer, and the request as the next layer saw it (None where it saw none)."""
    seen: Seen = []

    def next_layer(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse("through")

    response = middleware(next_layer)(request)
    return response, seen[0] if seen else None


class TestProxies:
    def behind(self, remote: str, **headers: str) -> HttpRequest:
        request = RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers)
        _, seen = pass_through(ProxyMiddleware, request)
        return seen  # type: ignore[no-any-return]

    @pytest.mark.parametrize(
        ("remote", "forwarded", "client"),
        [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger says who he is
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),  # the left one is the client's own invention
            ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # two proxies of ours
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "unknown", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ],
    )
    def test_only_a_configured_proxy_names_the_client(
        self, settings: Any, remote: str, forwarded: str, client: str
    ) -> None:
        settings.IRU_TRUSTED_PROXIES = ["10.0.0.0/8"]
        assert self.behind(remote, x_forwarded_for=forwarded).META["REMOTE_ADDR"] == client

    @pytest.mark.parametrize(("remote", "secure"), [("10.0.0.1", True), ("203.0.113.9", False)])
    def test_forwarded_proto_is_read_from_configured_proxies_only(
        self, settings: Any, remote: str, secure: bool
    ) -> None:
        settings.IRU_TRUSTED_PROXIES = ["10.0.0.1"]
        assert self.behind(remote, x_forwarded_proto="https").is_secure() is secure

    def test_without_trusted_proxies_forwarded_headers_are_ignored(self) -> None:
        request = self.behind("127.0.0.1", x_forwarded_for="198.51.100.1", x_forwarded_proto="https")
        assert request.META["REMOTE_ADDR"] == "127.0.0.1"
        assert not request.is_secure()
        assert "HTTP_X_FORWARDED_FOR" not in request.META

    def test_a_mistake_in_the_setting_stops_the_start(self, settings: Any) -> None:
        settings.IRU_TRUSTED_PROXIES = ["10.0.0.0/33"]
        with pytest.raises(ImproperlyConfigured, match=re.escape("10.0.0.0/33")):
            ProxyMiddleware(lambda request: HttpResponse())


class TestHosts:
    @pytest.fixture(autouse=True)
    def addresses(self, settings: Any) -> None:
        settings.IRU_WEB_HOSTS = ["iru.test"]
        settings.IRU_BARE_API_HOSTS = ["localhost"]
        settings.ALLOWED_HOSTS = ["iru.test", "localhost", ".api.iru.test"]

    def ask(self, host: str, path: str = "/api/v1/devices", *, secure: bool = False) -> tuple[HttpResponse, Any]:
        """The answer, and the request as its door saw it (None where no door did); it answers with its own name."""
        seen: Seen = []

        def door(name: str) -> Callable[[HttpRequest], HttpResponse]:
            def answer(request: HttpRequest) -> HttpResponse:
                seen.append(request)
                return HttpResponse(name)

            return answer

        middleware = HostMiddleware(door("pages"))
        middleware.api = door("api")
        response = middleware(RequestFactory().get("/", headers={"host": host}, secure=secure, PATH_INFO=path))
        return response, seen[0] if seen else None

    @pytest.mark.parametrize("host", ["accuhive.api.iru.test", "ACCUHIVE.api.iru.test:8443", "accuhive.api.iru.test."])
    @pytest.mark.parametrize("path", ["/api/v1/devices", "/access/tokens/", "/"])
    def test_an_api_host_serves_the_api_alone(self, host: str, path: str) -> None:
        response, seen = self.ask(host, path)
        assert (response.content, seen.subdomain) == (b"api", "accuhive")

    @pytest.mark.parametrize("path", ["/api/v1", "/api/v1/devices", "/api/v2/threat/x", "/app/v1/ping"])
    def test_a_bare_host_serves_the_api_by_its_path(self, path: str) -> None:
        response, seen = self.ask("localhost:8000", path)
        assert (response.content, seen.subdomain) == (b"api", None)

    @pytest.mark.parametrize("path", ["/", "/access/tokens/", "/api-reference/", "/apiv1"])
    def test_a_web_host_serves_pages(self, path: str) -> None:
        response, _ = self.ask("iru.test", path)
        assert response.content == b"pages"

    @pytest.mark.parametrize("host", ["iru.test", "evil.test", "evil.test:bad", "api.iru.test", "notapi.iru.test"])
    def test_the_api_is_unknown_to_every_other_host(self, host: str) -> None:
        response, seen = self.ask(host)
        assert seen is None
        assert (response.status_code, response["content-type"]) == (404, "application/json")

    @pytest.mark.parametrize("path", ["/api", "/api/", "/api/devices", "/api/v1x/devices"])
    def test_a_path_under_api_is_never_a_page(self, path: str) -> None:
        response, seen = self.ask("iru.test", path)
        assert seen is None
        assert (response.status_code, response["content-type"]) == (404, "application/json")
        assert self.ask("localhost", path)[0].content == b"api"

    @pytest.mark.parametrize("host", ["evil.test", "iru.test.evil.test", "evil.test:bad", "bad host"])
    def test_pages_are_shown_by_the_web_hosts_alone(self, host: str) -> None:
        response, seen = self.ask(host, "/sign-in/")
        assert seen is None
        assert response.status_code == 400

    @pytest.mark.parametrize("path", ["/", "/sign-in/", "//api/v1/devices", "/static/css/app.css"])
    def test_every_path_of_an_api_name_is_the_apis(self, path: str) -> None:
        assert self.ask("localhost", path)[0].content == b"api"
        response, seen = self.ask("api.iru.test", path)  # the name above those of the tenants
        assert seen is None
        assert (response.status_code, response["content-type"]) == (404, "application/json")

    @pytest.mark.parametrize("path", ["//api/v1/devices", "///app/v1/ping", "/api//v1/devices"])
    def test_more_slashes_than_one_do_not_lead_to_a_page(self, path: str) -> None:
        response, seen = self.ask("iru.test", path)
        assert seen is None
        assert (response.status_code, response["content-type"]) == (404, "application/json")

    @pytest.mark.parametrize("host", ["accuhive.api.iru.test", "localhost"])
    def test_plain_http_to_the_api_is_refused_and_not_redirected(self, settings: Any, host: str) -> None:
        settings.HTTPS = True
        response, seen = self.ask(host)
        assert seen is None
        assert response.status_code == 403
        assert "location" not in response.headers

        assert self.ask(host, secure=True)[0].content == b"api"

        settings.DEBUG = True  # on a developer's machine, without a certificate
        assert self.ask(host)[0].content == b"api"


def test_the_api_sets_and_reads_no_cookie(tenant: Tenant, owner: Administrator, client: Client) -> None:
    client.force_login(owner)
    response = client.get("/api/v1/devices", headers={"host": "accuhive.api.iru.test"})
    assert response.status_code == 401
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


class TestLostDatabase:
    """A page says 503 with Retry-After, wherever the database was missed, and keeps the person signed in."""

    @pytest.fixture
    def signed_in(self, owner: Administrator) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(owner)
        return client

    def test_in_the_session(self, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as lost:
            lost.setattr(SessionStore, "load", self.fail)
            response = signed_in.get("/")
        self.check(signed_in, response)

    def test_in_saving_the_session(
        self, signed_in: Client, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = issue_token()
        with monkeypatch.context() as lost:
            lost.setattr(SessionStore, "save", self.fail)
            assert signed_in.get("/access/tokens/").status_code == 200  # its time of last use can wait
            form = {"name": "Okta", "version": token.version}
            response = signed_in.post(f"/access/tokens/{token.pk}/edit/", form)  # its notice cannot
        self.check(signed_in, response)

    def test_in_a_view(self, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as lost:
            lost.setattr("access.models.tokens.ApiTokenQuerySet.listed", self.fail)
            response = signed_in.get("/access/tokens/")
        self.check(signed_in, response)

    def test_in_the_middleware(self, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as lost:
            lost.setattr("access.sign_in.backend.AdministratorBackend.get_user", self.fail)
            response = signed_in.get("/access/tokens/")
        self.check(signed_in, response)

    def test_in_the_page_for_another_error(self, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def layout(request: HttpRequest, status: int) -> str:
            if status < 500:
                self.fail()
            return "registration/card.html"

        with monkeypatch.context() as lost:
            lost.setattr("access.http.errors._layout", layout)
            response = signed_in.get("/nothing/")
        self.check(signed_in, response)

    def test_any_other_error_stays_a_500(self, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*arguments: object) -> None:
            raise RuntimeError("no signal from the database")

        monkeypatch.setattr("access.models.tokens.ApiTokenQuerySet.listed", broken)
        response = signed_in.get("/access/tokens/")
        assert response.status_code == 500
        assert "Retry-After" not in response
        assert "signal" not in response.content.decode()

    def check(self, client: Client, response: Any) -> None:
        assert response.status_code == 503
        assert int(response["Retry-After"]) > 0
        assert "signal" not in response.content.decode()
        assert client.get("/access/tokens/").status_code == 200

    def fail(self, *arguments: object, **keywords: object) -> None:
        raise OperationalError("no signal from the database")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("host", "path"),
    [("testserver", "/sign-in/"), ("testserver", "/nope/"), ("testserver", "/admin/"), ("evil.test", "/sign-in/")],
)
def test_every_page_carries_the_browsers_orders(client: Client, host: str, path: str) -> None:
    headers = client.get(path, headers={"host": host}).headers
    policy = dict(each.strip().partition(" ")[::2] for each in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'self'( 'nonce-[\w-]+')?", policy["script-src"])
    assert re.fullmatch(r"'self'( 'nonce-[\w-]+')?", policy["style-src"])
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
