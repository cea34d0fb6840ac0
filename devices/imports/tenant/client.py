"""Reading another tenant through its public API: patiently, at its pace, and without giving its token away."""

import ipaddress
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import stamina

from access.outgoing import client_options
from devices.retries import retry_after

RATE = 40  # requests a second: the public API allows 50, and others call it too
TIMEOUT = httpx.Timeout(60, connect=15)
ATTEMPTS = 8
LONGEST_WAIT = 3700  # seconds; the limit per hour is over by then
PASSING = {429, 502, 503, 504}
REDIRECTS = 5
NOT_SERVED = "the tenant does not serve it (404)"


class TenantImportError(Exception):
    """Copying cannot go on; the message is one line for the person who runs it."""


class Denied(Exception):
    """One part of the API is closed to this token, or not there; the message says which and why."""


class Missing(Exception):
    """An object that was listed is not there any more."""


class _Transient(Exception):
    """A request that failed and may succeed later; the message says how it failed. `retry_after`: seconds that the
    answer asks to wait."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class SourceTenant:
    """A tenant whose API is at `api_url` (https://SUBDOMAIN.api.kandji.io/api/v1). Safe for several threads.

    Raises TenantImportError for an address that the token must not be sent to.
    """

    def __init__(
        self,
        *,
        api_url: str,
        token: str,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        notice: Callable[[str], object] | None = None,
    ) -> None:
        self._base = _checked(api_url)
        self._host = self._base.netloc.decode()
        self._reached = False
        self._notice = notice or _silent
        self._closed = threading.Event()
        self._pace = _Pace(sleep or self._closed.wait, clock)
        self._http = httpx.Client(
            transport=transport,
            timeout=TIMEOUT,
            follow_redirects=False,  # httpx would follow to any host
            **client_options(self._base.host),
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        )

    def close(self) -> None:
        """Threads that wait for their turn, or for an hour to be over, are let go with a TenantImportError."""
        self._closed.set()
        self._http.close()

    def get(self, path: str, **parameters: str | int) -> Any:
        """The JSON that `path` answers. Raises Denied for 403 and 404 of a part, Missing for a 404 of an object, and
        TenantImportError for everything that patience does not help against."""
        return self._json(self._url(path), parameters)

    def pages(self, path: str, **parameters: str | int) -> Iterator[list[Any]]:
        """The `results` of every page, by following `next`."""
        url, seen = self._url(path), set[httpx.URL]()
        while True:
            page = self._listed(url, parameters)
            results = page.get("results") if isinstance(page, dict) else None
            if not isinstance(results, list):
                raise TenantImportError(f"{self._address(url)} did not answer a page of results.")
            yield results
            if not page.get("next"):
                return
            url, parameters = self._same_origin(url.join(str(page["next"])), "The next page"), {}
            if url in seen:
                raise TenantImportError(f"{self._address(url)} is named as its own next page.")
            seen.add(url)

    def arrays(self, path: str, limit: int = 300) -> Iterator[list[Any]]:
        """Every page of a list that is a bare array."""
        offset = 0
        while True:
            rows = self._listed(self._url(path), {"limit": limit, "offset": offset})
            if not isinstance(rows, list):
                raise TenantImportError(f"{path} did not answer a list.")
            if rows:
                yield rows
            if len(rows) < limit:
                return
            offset += len(rows)

    def nested(self, path: str, key: str, limit: int = 300) -> Iterator[list[Any]]:
        """The `results` of every page that `path` answers under `key`."""
        offset, before = 0, None
        while True:
            answer = self.get(path, limit=limit, offset=offset)
            page = answer.get(key) if isinstance(answer, dict) else None
            results = page.get("results") if isinstance(page, dict) else None
            if not isinstance(page, dict) or not isinstance(results, list):
                raise TenantImportError(f"{path} did not answer a page of {key}.")
            if results and results == before:
                raise TenantImportError(f"{path} answers the same page again and again.")
            before = results
            yield results
            offset += len(results)
            if not results or not page.get("next"):
                return

    def walk(self, path: str, limit: int = 300) -> Iterator[list[Any]]:
        """The `data` of every page. Each request sends the `cursor` of the page before; the first one is empty."""
        cursor = ""
        while True:
            page = self._listed(self._url(path), {"limit": limit, "cursor": cursor})
            rows = page.get("data") if isinstance(page, dict) else None
            if not isinstance(rows, list):
                raise TenantImportError(f"{path} did not answer a page of rows.")
            if rows:
                yield rows
            before, cursor = cursor, str(page.get("cursor") or "")
            if not rows or not cursor:
                return
            if cursor == before:
                raise TenantImportError(f"{path} answers the same page again and again.")

    def numbered(self, path: str, size: int = 300) -> Iterator[list[Any]]:
        """The `results` of every page of a list with numbered pages and a total."""
        page, seen = 1, 0
        while True:
            answer = self._listed(self._url(path), {"page": page, "size": size})
            results = answer.get("results") if isinstance(answer, dict) else None
            if not isinstance(results, list):
                raise TenantImportError(f"{path} did not answer a page of results.")
            yield results
            seen, page = seen + len(results), page + 1
            total = answer.get("total")
            if not results or (isinstance(total, int) and seen >= total):
                return

    def tokens(self, path: str, size: int = 300) -> Iterator[list[Any]]:
        """The `results` of every page of a list whose `next` is a token, which the next request sends as `after`."""
        after, known = "", set[str]()
        while True:
            answer = self._listed(self._url(path), {"size": size, **({"after": after} if after else {})})
            results = answer.get("results") if isinstance(answer, dict) else None
            if not isinstance(results, list):
                raise TenantImportError(f"{path} did not answer a page of results.")
            yield results
            after = str(answer.get("next") or "")
            if not after:
                return
            if after in known:
                raise TenantImportError(f"{path} names a page as its own next one.")
            known.add(after)

    def _listed(self, url: httpx.URL, parameters: dict[str, Any]) -> Any:
        try:
            return self._json(url, parameters)
        except Missing:
            raise Denied(NOT_SERVED) from None

    def _url(self, path: str) -> httpx.URL:
        """The URL of a path below the API URL. A path that begins with /api/ belongs to another version of the API."""
        root = str(self._base).removesuffix("/api/v1") if path.startswith("/api/") else str(self._base)
        return httpx.URL(f"{root}/{path.lstrip('/')}")

    def _same_origin(self, url: httpx.URL, what: str) -> httpx.URL:
        if _origin(url) != _origin(self._base) or url.userinfo:
            raise TenantImportError(f"{what} is on another host, {url.host}: not followed, the token stays here.")
        return url

    def _json(self, url: httpx.URL, parameters: dict[str, Any]) -> Any:
        if parameters:
            url = url.copy_merge_params(parameters)
        for _ in range(REDIRECTS):
            response = self._patiently(url)
            if not response.has_redirect_location:
                break
            url = self._same_origin(url.join(response.headers["Location"]), f"The redirect of {self._address(url)}")
        self._check(url, response)
        try:
            return response.json()
        except ValueError:
            raise TenantImportError(f"{self._address(url)} answered something that is no JSON.") from None

    def _patiently(self, url: httpx.URL) -> httpx.Response:
        """The answer that is not about a passing failure. stamina counts the attempts and computes how long to wait.
        The pace limiter waits: one rate limit holds for all threads, and a client that is closed wakes them."""
        attempts = stamina.retry_context(on=_retry, attempts=ATTEMPTS, timeout=None, wait_initial=1, wait_max=60)
        try:
            for attempt in attempts:
                with attempt:
                    return self._request(url, attempt)
        except _Transient as error:
            reason = str(error)
        raise TenantImportError(f"{self._host} {reason}, {ATTEMPTS} times in a row. Run the same again later.")

    def _request(self, url: httpx.URL, attempt: stamina.Attempt) -> httpx.Response:
        self._pace.wait()
        if self._closed.is_set():
            raise TenantImportError("Stopped.")
        try:
            return self._answer(url)
        except _Transient as error:
            if attempt.num < ATTEMPTS:
                self._back_off(error, attempt.next_wait)
            raise

    def _answer(self, url: httpx.URL) -> httpx.Response:
        try:
            response = self._http.get(url)
        except httpx.TransportError as error:
            reason = f"cannot be reached ({type(error).__name__})"
            if isinstance(error, httpx.ConnectError) and not self._reached:
                # No request has ever succeeded: more likely a wrong address than a short outage.
                raise TenantImportError(f"{self._host} {reason}.") from None
            raise _Transient(reason) from None
        self._reached = True
        if response.status_code in PASSING:
            raise _Transient(f"answered {response.status_code}", retry_after(response))
        return response

    def _back_off(self, error: _Transient, seconds: float) -> None:
        pause = min(seconds if error.retry_after is None else error.retry_after, LONGEST_WAIT)
        if pause > 10:
            self._notice(f"{self._host} {error}; going on in {pause:.0f} seconds.")
        self._pace.hold(pause)

    def _check(self, url: httpx.URL, response: httpx.Response) -> None:
        match response.status_code:
            case 200:
                return
            case 401:
                raise TenantImportError(f"{self._host} refused the token (401): is it this tenant's, and not revoked?")
            case 403:
                raise Denied(_missing_permission(response) or "the token lacks the permission (403)")
            case 404:
                if isinstance(body := _body(response), dict) and "detail" in body:
                    raise Missing
                raise Denied(NOT_SERVED)
        raise TenantImportError(f"{self._address(url)} answered {response.status_code}.")

    def _address(self, url: httpx.URL) -> str:
        return f"{url.host}{url.path}"


class _Pace:
    """Lets requests through one after the other, at most RATE a second, and none while the other side asked to wait."""

    def __init__(self, sleep: Callable[[float], object], clock: Callable[[], float]) -> None:
        self._sleep, self._clock = sleep, clock
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        with self._lock:
            now = self._clock()
            at = max(self._next, now)
            self._next = at + 1 / RATE
        if at > now:
            self._sleep(at - now)

    def hold(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


def _retry(error: Exception) -> bool | float:
    """The answer to stamina: whether to try again, at once, as the pace limiter waits."""
    return 0.0 if isinstance(error, _Transient) else False


def _checked(api_url: str) -> httpx.URL:
    try:
        url = httpx.URL(api_url.strip().rstrip("/"))
    except httpx.InvalidURL:
        raise TenantImportError(f"{api_url!r} is not an address.") from None
    if url.userinfo or url.query or url.fragment or not url.host:
        raise TenantImportError(f"{api_url!r} is not the address of an API.")
    if not url.path.endswith("/api/v1"):
        raise TenantImportError(f"The API URL ends in /api/v1, and {api_url!r} does not.")
    if url.scheme != "https" and not (url.scheme == "http" and _local(url.host)):
        raise TenantImportError("The API URL must begin with https://, or everybody on the way could read the token.")
    return url


def _local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme)


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _missing_permission(response: httpx.Response) -> str:
    """What a server like ours says about a 403: the permission that the token lacks."""
    body = _body(response)
    missing = body.get("missing_permission") if isinstance(body, dict) else None
    if not isinstance(missing, dict):
        return ""
    label, method, path = (str(missing.get(key, "")) for key in ("label", "http_method", "path"))
    return f"the token lacks the permission {label} ({method} {path})"


def _silent(text: str) -> None:
    """The notice function of a client without a listener."""
