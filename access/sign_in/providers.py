"""Sign-in with the OpenID Connect provider of a tenant. allauth makes the requests; who comes in is decided here.

A provider can say any address, so it lets in people of its own tenant alone. The address must be one that was invited.
"""

import time
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from access.audit.events import Actor, Target, log_event
from access.models import Administrator, AuditEvent, IdentityProvider, Role
from access.sealing import newest_key, rewrap_rows, seal, unseal

WELL_KNOWN = "/.well-known/openid-configuration"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
SENT = ("Accept", "Authorization", "Content-Type")  # headers of a request
KEPT = 10 * 60  # seconds for which the endpoints of a provider are remembered
FRESH = 10 * 60  # seconds since the person proved to the provider who they are, where that is asked for again


class NotLetIn(Exception):
    """The provider has spoken, and the person does not come in. The message is for them."""


class ProviderAway(Exception):
    """The provider cannot be reached, or does not answer as OpenID Connect says. The message says how."""


class _Guarded(BaseAdapter):
    """Sends requests like webhooks: to public addresses alone, within a time and a size, without a redirect."""

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        from access.webhooks.client import Undelivered, send  # where it is needed: most processes never ask a provider

        url, body = request.url or "", cast("str | bytes", request.body or b"")
        sent = {name: str(request.headers[name]) for name in SENT if name in request.headers}
        try:
            answer = send(request.method or "GET", url, body.encode() if isinstance(body, str) else body, sent)
        except Undelivered as error:
            raise requests.ConnectionError(str(error)) from None
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status, url, request
        response.headers = CaseInsensitiveDict({"Content-Type": answer.media_type})
        response.raw = BytesIO(answer.text.encode())
        response.encoding = "utf-8"
        return response

    def close(self) -> None:
        """Nothing is kept open."""


class SocialAdapter(DefaultSocialAccountAdapter):
    """allauth's hooks. A provider of a tenant is one of our rows, not one of allauth's: its secret is encrypted."""

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        return []

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def get_requests_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.max_redirects = 0
        session.mount("https://", _Guarded())
        session.mount("http://", _Refusing())
        return session


class _Refusing(BaseAdapter):
    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        raise requests.ConnectionError("The provider's addresses must begin with https://.")

    def close(self) -> None:
        """Nothing is open."""


class _Provider(OpenIDConnectProvider):
    pkce_enabled_default = True
    flow: "Flow"

    def get_oauth2_adapter(self, request: HttpRequest) -> "Flow":
        return self.flow  # it knows the endpoints


class Flow(OpenIDConnectOAuth2Adapter):
    """One sign-in with a provider, from the redirect to the provider to the claims that it sends."""

    def __init__(self, request: HttpRequest, provider: IdentityProvider) -> None:
        self.row = provider
        super().__init__(request, provider.tenant.subdomain)

    def get_provider(self) -> _Provider:
        app = SocialApp(
            provider="openid_connect",
            provider_id=self.row.tenant.subdomain,
            name=self.row.name,
            client_id=self.row.client_id,
            secret=secret_of(self.row),
            settings={"server_url": self.row.issuer},
        )
        provider = _Provider(self.request, app=app)
        provider.flow = self
        return provider

    @property
    def openid_config(self) -> dict[str, Any]:
        return configuration(self.row.issuer)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(callback_path(self.row))

    def claims(self, answer: dict[str, Any]) -> dict[str, Any]:
        """What the ID token says, and the userinfo where it lacks the address."""
        claims: dict[str, Any] = self._decode_id_token(self.get_provider().app, answer.get("id_token") or "")
        if "email" not in claims and "userinfo_endpoint" in self.openid_config:
            info = self._fetch_user_info(answer["access_token"])
            if info.get("sub") != claims.get("sub"):
                raise NotLetIn("The provider spoke of two different people.")
            claims = {**info, **claims}
        return claims


# What may go wrong while a provider is asked: its answers are whatever it sends.
BROKEN = (OAuth2Error, requests.RequestException, AttributeError, KeyError, TypeError, ValueError)


def begin(request: HttpRequest, provider: IdentityProvider, *, next_url: str, confirm: bool) -> HttpResponse:
    """The redirect to the provider. With `confirm` it is asked to ask the person, even one whom it knows.

    Raises ProviderAway.
    """
    # `max_age` has the provider say when it asked, whatever becomes of `prompt` in the browser.
    params = {"prompt": "login", "max_age": "0"} if confirm else {}
    try:
        answer: HttpResponse = (
            Flow(request, provider)
            .get_provider()
            .redirect(request, "login", next_url=next_url, data={"confirm": confirm}, auth_params=params)
        )
    except BROKEN as error:
        raise ProviderAway(str(error)) from error
    return answer


def finish(request: HttpRequest, provider: IdentityProvider) -> tuple[dict[str, Any], str, bool]:
    """The claims of the person whom the provider sent back, and what `begin` was called with: next_url and confirm.

    Raises NotLetIn for a person who was not signed in there, and for a browser that did not begin; ProviderAway.
    """
    flow = Flow(request, provider)
    own = flow.get_provider()
    state = statekit.unstash_state(request, provider_id=own.sub_id, state_id=request.GET.get("state", ""))
    if state is None:
        raise NotLetIn("The sign-in took too long, or was begun in another browser. Try again.")
    if not request.GET.get("code"):
        raise NotLetIn("The provider did not sign you in.")
    try:
        client = flow.get_client(request, own.app)
        verifier = state.get("pkce_code_verifier")
        claims = flow.claims(flow.get_access_token_data(request, own.app, client, pkce_code_verifier=verifier))
    except BROKEN as error:
        raise ProviderAway(str(error)) from error
    return claims, state.get("next") or "", bool((state.get("data") or {}).get("confirm"))


def callback_path(provider: IdentityProvider) -> str:
    return reverse("sso-callback", args=[provider.tenant.subdomain])


_known: dict[str, tuple[float, dict[str, Any]]] = {}


def configuration(issuer: str) -> dict[str, Any]:
    """The endpoints of a provider, as it publishes them; remembered for ten minutes. Raises ProviderAway."""
    at, found = _known.get(issuer, (0.0, {}))
    if found and time.monotonic() - at < KEPT:
        return found
    try:
        with SocialAdapter().get_requests_session() as session:
            answer = session.get(issuer.rstrip("/") + WELL_KNOWN)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderAway(f"{issuer} does not publish its configuration: {error}") from None
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        named = found.get("issuer") if isinstance(found, dict) else None
        raise ProviderAway(f"The provider calls itself {named}, not {issuer}. Enter its name for itself as the issuer.")
    for name in ENDPOINTS:
        if urlsplit(str(found.get(name, ""))).scheme != "https":
            raise ProviderAway(f"The configuration of the provider has no {name} that begins with https://.")
    if len(_known) > 1000:
        _known.clear()
    _known[issuer] = (time.monotonic(), found)
    return found


def forget(issuer: str) -> None:
    """Read the endpoints of the provider anew next time."""
    _known.pop(issuer, None)


@transaction.atomic
def person_of(provider: IdentityProvider, claims: dict[str, Any], address: str) -> Administrator:
    """The person of the tenant that the claims are about; a person who was invited becomes Active.

    From the first sign-in on, the provider's id of the person counts, not the address. Raises NotLetIn.
    """
    uid, email = str(claims.get("sub") or ""), str(claims.get("email") or "").strip().lower()
    if not uid:
        raise NotLetIn("The provider did not say who you are.")
    people = provider.tenant.administrators.select_for_update(no_key=True, of=("self",)).select_related("tenant")
    links = SocialAccount.objects.filter(provider=provider.tenant.subdomain)
    link = links.filter(uid=uid).first()
    if link is not None:
        return people.get(pk=link.user_id)
    person = people.filter(email=email).first() if email else None
    if person is None or claims.get("email_verified") is False or str(claims.get("email_verified")).lower() == "false":
        raise NotLetIn("Your address is not known in this organization. Ask an administrator to invite you.")
    if links.filter(user=person).exists():
        # The address was given to somebody else, who must not become the person who had it.
        raise NotLetIn("Your address belongs to another account of the provider. Ask your Account Owner.")
    if person.status == "pending":
        if person.invitation_ended or person.invited_at is None:
            raise NotLetIn("Your invitation has ended. Ask an administrator to send another one.")
        person.joined_at = timezone.now()
        person.save(update_fields=["joined_at", "updated_at"])
    SocialAccount.objects.create(user=person, provider=provider.tenant.subdomain, uid=uid, extra_data={})
    log_event(
        target=Target(provider.tenant, "user", person.id, person.name, "sign_in"),
        actor=Actor.of(person, address),
        action=AuditEvent.Action.UPDATE,
        summary=f"First sign-in with {provider.name}",
        metadata={"address": address} if address else None,
    )
    return person


def is_fresh(claims: dict[str, Any]) -> bool:
    """Whether the provider asked the person just now. Without `auth_time` it did not say; it was asked to."""
    moment = claims.get("auth_time")
    return moment is None or (isinstance(moment, int) and timezone.now().timestamp() - moment < FRESH)


def must_use_provider(person: Administrator) -> IdentityProvider | None:
    """The provider with which the person has to sign in. The Account Owner keeps the password, for when it fails."""
    if person.tenant is None or person.role == Role.OWNER:
        return None
    found: IdentityProvider | None = IdentityProvider.objects.filter(tenant=person.tenant, required=True).first()
    return found


def secret_of(provider: IdentityProvider) -> str:
    """The client secret. Raises SecretUnreadable."""
    return unseal(provider.key_number, provider.ciphertext, *_place(provider)).decode()


def put_secret(provider: IdentityProvider, secret: str) -> None:
    """Set the encrypted client secret of a provider, which the caller saves."""
    provider.key_number, provider.ciphertext = seal(secret.encode(), *_place(provider))


def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` client secrets that use an older key: see `rewrap_rows`."""
    stale = IdentityProvider.objects.exclude(key_number=newest_key())
    return rewrap_rows(stale, lambda provider: put_secret(provider, secret_of(provider)), limit=limit)


def check_issuer(text: str) -> str:
    """The issuer in the form that is stored. Raises ValidationError."""
    text = text.strip()
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValidationError("Enter the address of the provider, such as https://login.example.com/realms/acme.")
    return text.removesuffix(WELL_KNOWN)


def _place(provider: IdentityProvider) -> tuple[object, ...]:
    return ("access_identityprovider", "secret", provider.tenant_id)
