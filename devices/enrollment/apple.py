"""The client of Apple's device enrollment service, which lists the devices of an organization by server.

A session begins with a request that is signed by OAuth 1.0a with the server token. The session token in its answer
authorizes the other requests, and each answer may replace it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

from access.outgoing import client_options
from devices.enrollment.server_tokens import ServerToken
from devices.models import AdeIntegration
from devices.retries import retry_after

if TYPE_CHECKING:
    import httpx

# With LOG_LEVEL=DEBUG, oauthlib would log the credentials for the signature, and httpcore each session token.
for name in ("oauthlib", "httpcore"):
    logging.getLogger(name).setLevel(logging.WARNING)

Reason = AdeIntegration.Reason

PROTOCOL_VERSION = "3"
PAGE = 1000  # devices in one answer or assignment, Apple's maximum
PASSING = {429, 500, 502, 503, 504}
SESSION = "X-ADM-Auth-Session"
JSON = "application/json;charset=UTF8"


@dataclass(frozen=True, slots=True)
class Patience:
    """The attempts of a request, the seconds for all of them, and the seconds that one answer may take."""

    attempts: int
    seconds: float
    answer: float


# A person waits for the answer of a REQUEST. A WORKER has other tasks, and the next sync continues from its position.
REQUEST = Patience(attempts=2, seconds=12, answer=8)
WORKER = Patience(attempts=5, seconds=90, answer=30)


class AppleRefused(Exception):
    """Apple's service does not accept the server token, or not for this request."""

    def __init__(self, reason: AdeIntegration.Reason) -> None:
        super().__init__(reason.label)
        self.reason = reason


class AppleUnavailable(Exception):
    """Apple's service cannot be reached, asks to wait, or sends an answer that this client does not know."""


class CursorExhausted(Exception):
    """The cursor has already returned all devices."""


class CursorExpired(Exception):
    """The cursor is older than seven days, or Apple no longer knows it. The list must be fetched from the start."""


class _Passing(Exception):
    """A request failed and may succeed later. `wait` is the number of seconds that the answer asks for."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def _text(length: int) -> Any:
    """An optional text, cut to the length of its column."""
    return BeforeValidator(lambda value: "" if value is None else str(value).replace("\0", "")[:length])


def _moment(value: Any) -> Any:
    return value or None  # Apple sends an empty text for an event that has not happened


type Moment = Annotated[AwareDatetime | None, BeforeValidator(_moment)]


class Account(BaseModel):
    """The server of a token, and its organization."""

    server_name: Annotated[str, _text(255), StringConstraints(min_length=1)]
    server_uuid: UUID
    admin_id: Annotated[str, _text(254)] = ""
    org_name: Annotated[str, _text(255)] = ""
    org_email: Annotated[str, _text(254)] = ""
    org_phone: Annotated[str, _text(60)] = ""
    org_address: Annotated[str, _text(500)] = ""
    org_type: Annotated[str, _text(20)] = ""


class ListedDevice(BaseModel):
    """A device of the server. `op_type` and `op_date` describe its change, and are present only in a sync."""

    serial_number: Annotated[str, _text(100), StringConstraints(min_length=1)]
    model: Annotated[str, _text(255)] = ""
    description: Annotated[str, _text(255)] = ""
    color: Annotated[str, _text(60)] = ""
    asset_tag: Annotated[str, _text(255)] = ""
    device_family: Annotated[str, _text(20)] = ""
    os: Annotated[str, _text(20)] = ""
    device_assigned_by: Annotated[str, _text(254)] = ""
    device_assigned_date: Moment = None
    profile_status: Annotated[str, _text(10)] = "empty"
    profile_uuid: Annotated[str, _text(64)] = ""
    profile_assign_time: Moment = None
    profile_push_time: Moment = None
    op_type: Annotated[str, _text(20)] = ""
    op_date: Moment = None


class DevicePage(BaseModel):
    cursor: Annotated[str, _text(2000)] = ""
    more_to_follow: bool = False
    fetched_until: Moment = None
    devices: list[ListedDevice] = Field(default_factory=list)


class _Session(BaseModel):
    auth_session_token: Annotated[str, StringConstraints(min_length=1)]


class _Defined(BaseModel):
    profile_uuid: Annotated[str, _text(64), StringConstraints(min_length=1)]


class _Assigned(BaseModel):
    devices: dict[str, Annotated[str, _text(30)]] = Field(default_factory=dict)


class AppleDevices:
    """A connection to the service with one server token. Close it after use, or use it as a context manager.

    Every method raises AppleRefused and AppleUnavailable.
    """

    def __init__(self, token: ServerToken, patience: Patience) -> None:
        # Imported here: a server process seldom asks Apple, and would keep the memory of what it has imported.
        import httpx

        self._token, self._patience = token, patience
        self._session = ""
        self._http = httpx.Client(
            base_url=settings.IRU_ADE_URL,
            timeout=httpx.Timeout(patience.answer, connect=5),
            follow_redirects=False,  # the credentials are only for this host
            **client_options(urlsplit(settings.IRU_ADE_URL).hostname or ""),
            headers={
                "User-Agent": "iru-endpoint/1.0",
                "X-Server-Protocol-Version": PROTOCOL_VERSION,
                "Accept": "application/json",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def account(self) -> Account:
        return self._patiently(lambda: self._call(Account, "GET", "/account"))

    def fetch(self, cursor: str) -> DevicePage:
        """Return a page of the list of all devices. Raises CursorExhausted and CursorExpired."""
        return self._page("/server/devices", cursor)

    def sync(self, cursor: str) -> DevicePage:
        """Return a page of the changes since the cursor. Raises CursorExhausted and CursorExpired."""
        return self._page("/devices/sync", cursor)

    def define_profile(self, profile: dict[str, Any]) -> str:
        """Store an enrollment profile at Apple, and return its id there."""
        return self._patiently(lambda: self._call(_Defined, "POST", "/profile", profile)).profile_uuid

    def assign_profile(self, profile_uuid: str, serial_numbers: list[str]) -> dict[str, str]:
        """Assign a profile to up to PAGE devices. Returns Apple's result for each: SUCCESS, NOT_ACCESSIBLE, FAILED …"""
        body = {"profile_uuid": profile_uuid, "devices": serial_numbers}
        return self._patiently(lambda: self._call(_Assigned, "POST", "/profile/devices", body)).devices

    def _page(self, path: str, cursor: str) -> DevicePage:
        body = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
        return self._patiently(lambda: self._call(DevicePage, "POST", path, body))

    def _patiently[R](self, call: Callable[[], R]) -> R:
        import stamina  # as httpx above

        patience = self._patience

        def wait(error: Exception) -> bool | float:
            if not isinstance(error, _Passing):
                return False
            if error.wait is None:
                return True
            return error.wait if error.wait <= patience.seconds else False

        attempts = stamina.retry_context(
            on=wait, attempts=patience.attempts, timeout=patience.seconds, wait_initial=1, wait_max=30
        )
        try:
            for attempt in attempts:
                with attempt:
                    return call()
        except _Passing as error:
            raise AppleUnavailable(str(error)) from None
        raise AssertionError("stamina ends with an answer or an error")

    def _call[M: BaseModel](self, model: type[M], method: str, path: str, body: Any = None) -> M:
        known = bool(self._session)
        if not known:
            self._begin_session()
        response = self._send(method, path, body)
        if response.status_code in {401, 403} and known:
            # The session ended. A new session shows whether Apple refuses the token too.
            self._begin_session()
            response = self._send(method, path, body)
        return _parsed(model, _checked(response))

    def _begin_session(self) -> None:
        from oauthlib.oauth1 import Client as Signer  # as httpx above

        token = self._token
        signer = Signer(
            token.consumer_key.get_secret_value(),
            client_secret=token.consumer_secret.get_secret_value(),
            resource_owner_key=token.access_token.get_secret_value(),
            resource_owner_secret=token.access_secret.get_secret_value(),
            realm="ADM",
        )
        _, headers, _ = signer.sign(str(self._http.base_url.join("session")), "GET")
        response = _checked(self._answer("GET", "/session", headers=cast("dict[str, str]", headers)))
        self._session = _parsed(_Session, response).auth_session_token

    def _send(self, method: str, path: str, body: Any) -> "httpx.Response":
        response = self._answer(method, path, headers={SESSION: self._session, "Content-Type": JSON}, json=body)
        self._session = response.headers.get(SESSION) or self._session
        return response

    def _answer(self, method: str, path: str, **request: Any) -> "httpx.Response":
        from httpx import TransportError  # as above

        try:
            response = self._http.request(method, path, **request)
        except TransportError as error:
            raise _Passing(f"Apple's service cannot be reached ({type(error).__name__}).") from None
        if response.status_code in PASSING:
            raise _Passing(f"Apple's service answered {response.status_code}.", retry_after(response))
        return response


def _checked(response: "httpx.Response") -> "httpx.Response":
    """Return a successful answer. Raises the exception for any other answer."""
    match response.status_code, response.text:
        case 200, _:
            return response
        case 401, _:
            raise AppleRefused(Reason.UNAUTHORIZED)
        case 403, text if "T_C_NOT_SIGNED" in text:
            raise AppleRefused(Reason.TERMS)
        case 403, _:
            raise AppleRefused(Reason.FORBIDDEN)
        case 400, text if "EXHAUSTED_CURSOR" in text:
            raise CursorExhausted
        case 400, text if "EXPIRED_CURSOR" in text or "INVALID_CURSOR" in text:
            raise CursorExpired
    raise AppleUnavailable(f"Apple's service answered {response.status_code}.")


def _parsed[M: BaseModel](model: type[M], response: "httpx.Response") -> M:
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        raise AppleUnavailable("Apple's service answered something that is not in its documentation.") from None
