"""Sign-in with the OpenID Connect provider of an organization, against a provider on this machine."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connection
from django.test import Client
from django.utils import timezone

from access.audit.events import Actor
from access.models import Administrator, AuditEvent, Role, Session, Tenant
from access.models import IdentityProvider as Row
from access.people.providers import save_provider
from access.sign_in import providers
from access.sign_in.sessions import AUTHENTICATED_AT
from access.webhooks import client as web_client
from tests import identity
from tests.factories.access import AdministratorFactory, AuthenticatorFactory, TenantFactory, code_of
from tests.identity import CLIENT, SECRET, IdentityProvider
from tests.receivers import make_certificate, trusting

pytestmark = pytest.mark.django_db
PASSWORD = "seven unrelated words"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("provider") / "server.pem", "localhost")


@pytest.fixture
def provider(certificate: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityProvider]:
    settings.IRU_WEBHOOK_NETWORKS = ["127.0.0.1", "::1"]
    monkeypatch.setattr(web_client, "_tls", lambda: trusting(certificate))
    with identity.serve(certificate) as served:
        yield served


def set_up(tenant: Tenant, provider: IdentityProvider, **values: Any) -> Row:
    fields = {"name": "Okta", "issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET}
    return save_provider(tenant=tenant, actor=Actor.command("test"), **{**fields, "required": False, **values})


@pytest.fixture
def row(tenant: Tenant, provider: IdentityProvider) -> Row:
    return set_up(tenant, provider)


@pytest.fixture
def ada(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, email="ada@accuhive.example", first_name="Ada", role=Role.ADMIN)


def go(client: Client, provider: IdentityProvider, tenant: Tenant, query: str = "", **changes: str) -> Any:
    """The answer to the browser that comes back from the provider."""
    there = client.get(f"/sign-in/sso/{tenant.subdomain}/{query}")
    assert there.status_code == 302, there.content
    parts = urlsplit(there["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{provider.issuer}/authorize"
    back = urlsplit(provider.authorize({name: values[0] for name, values in parse_qs(parts.query).items()}))
    return client.get(back.path, {**{name: values[0] for name, values in parse_qs(back.query).items()}, **changes})


def is_in(client: Client) -> bool:
    return bool(client.get("/session/").json()["signed_in"])


class TestSignIn:
    def test_a_member_comes_in_and_lands_where_they_wanted(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        assert go(client, provider, tenant, "?next=/activity/")["Location"] == "/activity/"
        assert is_in(client)
        assert client.get("/access/tokens/").status_code == 200
        assert client.session.get_expiry_age() > 11 * 3600
        (asked,) = provider.asked
        assert asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == {"openid", "profile", "email"}
        stored = str(list(Session.objects.values())) + str(list(SocialAccount.objects.values()))
        stored += str(list(AuditEvent.objects.values()))
        assert not any(secret in stored for secret in (SECRET, "opaque", "eyJ"))

    def test_the_id_counts_after_the_first_time(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        go(client, provider, tenant)
        provider.claims["email"] = "ada.byron@accuhive.example"
        again = Client()
        assert go(again, provider, tenant)["Location"] == "/"
        assert again.session["_auth_user_id"] == str(ada.pk)

    def test_an_address_that_was_given_to_somebody_else_opens_nothing(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        go(client, provider, tenant)
        provider.claims["sub"] = "u-2"
        successor = Client()
        answer = go(successor, provider, tenant)
        assert (answer.status_code, is_in(successor)) == (403, False)
        assert "belongs to another account" in answer.content.decode()

    @pytest.mark.parametrize(
        "claims",
        [
            {"email": "stranger@accuhive.example"},
            {"email": "elsewhere@other.example"},
            {"email": "suspended@accuhive.example"},
            {"email": "ada@accuhive.example", "email_verified": False},
            {"email": "ada@accuhive.example", "email_verified": "false"},
            {"email": None},
            {"email": ["ada@accuhive.example"]},
            {"email": ""},
            {"sub": None},
            {"sub": ""},
        ],
    )
    def test_nobody_else_comes_in(
        self,
        client: Client,
        provider: IdentityProvider,
        row: Row,
        tenant: Tenant,
        other_tenant: Tenant,
        ada: Administrator,
        claims: dict[str, Any],
    ) -> None:
        AdministratorFactory.create(tenant=other_tenant, email="elsewhere@other.example")
        AdministratorFactory.create(tenant=tenant, email="suspended@accuhive.example", is_active=False)
        provider.claims = {**provider.claims, **claims}
        answer = go(client, provider, tenant)
        assert answer.status_code in {302, 403}
        assert answer.get("Location", "/suspended/") == "/suspended/"
        assert not is_in(client)

    def test_an_invited_person_joins_within_the_invitation(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant
    ) -> None:
        provider.claims["email"] = "New@accuhive.example"
        person = AdministratorFactory.create(
            tenant=tenant, email="new@accuhive.example", pending=True, invited_at=timezone.now()
        )
        Administrator.objects.filter(pk=person.pk).update(invited_at=timezone.now() - timedelta(hours=25))
        assert go(client, provider, tenant).status_code == 403
        Administrator.objects.filter(pk=person.pk).update(invited_at=timezone.now())
        assert go(client, provider, tenant)["Location"] == "/"
        person.refresh_from_db()
        assert (person.status, person.has_usable_password()) == ("active", False)
        assert AuditEvent.objects.get(summary="First sign-in with Okta").actor_id == str(person.pk)

    def test_a_second_step_that_was_set_up_is_asked_for(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        AuthenticatorFactory.create(user=ada)
        assert go(client, provider, tenant)["Location"] == "/sign-in/second-step/"
        assert not is_in(client)
        stored = str(list(Session.objects.values()))
        assert not any(secret in stored for secret in ("opaque", ada.password))
        assert client.post("/sign-in/second-step/", {"code": code_of()})["Location"] == "/"
        assert is_in(client)

    def test_a_rule_for_two_steps_is_the_providers_matter(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        Tenant.objects.update(second_step_required=True)
        go(client, provider, tenant)
        assert client.get("/access/tokens/").status_code == 200

    def test_the_address_may_be_in_the_userinfo(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        provider.changes = {"email": None}
        provider.userinfo = {"sub": "another", "email": ada.email}
        assert go(client, provider, tenant).status_code == 403
        provider.userinfo["sub"] = "u-1"
        assert go(client, provider, tenant)["Location"] == "/"


class TestAttacks:
    @pytest.mark.parametrize(
        "changes",
        [{"iss": "https://evil.example"}, {"aud": "another client"}, {"exp": 1}, {"iss": None}, {"aud": None}],
    )
    def test_an_id_token_for_somebody_else_is_refused(
        self,
        client: Client,
        provider: IdentityProvider,
        row: Row,
        tenant: Tenant,
        ada: Administrator,
        changes: dict[str, Any],
    ) -> None:
        provider.changes = changes
        assert go(client, provider, tenant).status_code == 502
        assert not is_in(client)

    @pytest.mark.parametrize(
        "answer", ["", "not json", [], {}, {"access_token": "x"}, {"access_token": "x", "id_token": "y"}]
    )
    def test_an_answer_that_is_none_is_refused(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator, answer: Any
    ) -> None:
        provider.token_answer = answer
        refused = go(client, provider, tenant)
        assert refused.status_code == 502
        assert "could not be used. Try again" in refused.content.decode()
        assert not is_in(client)

    def test_a_state_of_another_browser_and_a_used_one_are_refused(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        there = client.get(f"/sign-in/sso/{tenant.subdomain}/")["Location"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
        back = provider.authorize(query)
        victim = Client()
        path = urlsplit(back).path + "?" + urlsplit(back).query
        assert victim.get(path).status_code == 403
        assert client.get(path)["Location"] == "/"
        assert client.get(path).status_code == 403
        assert not is_in(victim)

    def test_a_code_without_its_proof_is_refused(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        thief = Client()
        code = parse_qs(urlsplit(_back(thief, provider, tenant)).query)["code"][0]
        assert go(client, provider, tenant, code=code).status_code == 502
        assert not is_in(client)

    def test_an_answer_without_a_code_is_refused(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        assert go(client, provider, tenant, code="", error="access_denied").status_code == 403

    def test_one_organizations_provider_does_not_open_another(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        other = TenantFactory.create(name="Other", subdomain="other")
        set_up(other, provider)
        assert go(client, provider, other).status_code == 403
        back = urlsplit(_back(client, provider, other))
        assert client.get(back.path.replace("other", tenant.subdomain) + "?" + back.query).status_code == 403
        assert not is_in(client)

    @pytest.mark.parametrize("next_url", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"])
    def test_it_leads_to_no_other_site(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator, next_url: str
    ) -> None:
        assert go(client, provider, tenant, f"?next={next_url}")["Location"] == "/"

    def test_beginning_is_limited(self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant) -> None:
        answers = [client.get(f"/sign-in/sso/{tenant.subdomain}/").status_code for _ in range(31)]
        assert answers == [302] * 30 + [429]

    def test_an_organization_without_a_provider_says_so(self, client: Client, tenant: Tenant) -> None:
        for subdomain in (tenant.subdomain, "unknown"):
            answer = client.get(f"/sign-in/sso/{subdomain}/")
            assert answer.status_code == 403
            assert "no provider" in answer.content.decode()
        assert client.get(f"/sign-in/sso/{tenant.subdomain}/callback/").status_code == 404
        assert client.post("/sign-in/sso/", {"organization": "Acme"})["Location"] == "/sign-in/sso/acme/"


def _back(client: Client, provider: IdentityProvider, tenant: Tenant) -> str:
    there = client.get(f"/sign-in/sso/{tenant.subdomain}/")["Location"]
    return provider.authorize({name: values[0] for name, values in parse_qs(urlsplit(there).query).items()})


class TestConfirmation:
    @pytest.fixture
    def inside(
        self, client: Client, provider: IdentityProvider, row: Row, tenant: Tenant, ada: Administrator
    ) -> Client:
        go(client, provider, tenant)
        session = client.session
        session[AUTHENTICATED_AT] = 0
        session.save()
        return client

    def test_a_person_without_a_password_confirms_with_the_provider(
        self, inside: Client, provider: IdentityProvider, tenant: Tenant
    ) -> None:
        page = inside.get("/access/tokens/new/").content.decode()
        assert "Confirm with Okta" in page
        answer = go(inside, provider, tenant, "?confirm")
        assert "Confirmed" in answer.content.decode()
        assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")
        assert inside.session[AUTHENTICATED_AT] > 0
        assert 'name="password"' not in inside.get("/access/tokens/new/").content.decode()

    def test_an_old_sign_in_at_the_provider_confirms_nothing(
        self, inside: Client, provider: IdentityProvider, tenant: Tenant
    ) -> None:
        provider.changes = {"auth_time": 1_700_000_000}
        assert go(inside, provider, tenant, "?confirm").status_code == 403
        assert inside.session[AUTHENTICATED_AT] == 0

    def test_somebody_else_confirms_nothing(
        self, inside: Client, provider: IdentityProvider, tenant: Tenant, ada: Administrator
    ) -> None:
        AdministratorFactory.create(tenant=tenant, email="bob@accuhive.example")
        provider.claims = {"sub": "u-9", "email": "bob@accuhive.example"}
        assert go(inside, provider, tenant, "?confirm").status_code == 403
        assert (inside.session[AUTHENTICATED_AT], inside.session["_auth_user_id"]) == (0, str(ada.pk))


class TestRequired:
    def test_passwords_are_refused_but_the_owners(
        self, client: Client, provider: IdentityProvider, tenant: Tenant
    ) -> None:
        set_up(tenant, provider, required=True)
        owner = AdministratorFactory.create(tenant=tenant, role=Role.OWNER, password=PASSWORD)
        admin = AdministratorFactory.create(tenant=tenant, password=PASSWORD)
        answer = client.post("/sign-in/", {"login": admin.email, "password": PASSWORD})
        assert (answer.status_code, is_in(client)) == (403, False)
        assert "Sign in with Okta" in answer.content.decode()
        assert client.post("/sign-in/", {"login": admin.email, "password": "wrong"}).status_code == 422
        assert client.post("/sign-in/", {"login": owner.email, "password": PASSWORD})["Location"] == "/"

    def test_the_ownership_goes_to_somebody_with_a_password(
        self, client: Client, row: Row, tenant: Tenant, ada: Administrator
    ) -> None:
        owner = AdministratorFactory.create(tenant=tenant, role=Role.OWNER, password=PASSWORD)
        client.force_login(owner)
        answer = client.post(f"/access/people/{ada.pk}/transfer/")
        assert answer.status_code == 422
        assert "has a password" in answer.content.decode()


class TestSettingUp:
    @pytest.fixture
    def inside(self, client: Client, tenant: Tenant) -> Client:
        client.force_login(AdministratorFactory.create(tenant=tenant, role=Role.OWNER))
        return client

    def data(self, provider: IdentityProvider, **changes: str) -> dict[str, str]:
        return {
            "name": "Okta", "issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, **changes
        }  # fmt: skip

    def test_it_is_read_from_the_provider_and_stored_encrypted(
        self, inside: Client, provider: IdentityProvider, tenant: Tenant
    ) -> None:
        (uri,) = inside.get("/access/people/provider/").context["dialog"].facts.values()
        assert uri == f"http://testserver/sign-in/sso/{tenant.subdomain}/callback/"
        issuer = provider.issuer + "/.well-known/openid-configuration"
        assert inside.post("/access/people/provider/", self.data(provider, issuer=issuer)).status_code == 302
        row = Row.objects.get()
        assert (row.issuer, providers.secret_of(row)) == (provider.issuer, SECRET)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM access_identityprovider")
            assert SECRET not in str(cursor.fetchall())
        page = inside.get("/access/people/provider/").content.decode()
        assert SECRET not in page
        assert "Okta" in inside.get("/access/people/").content.decode()
        event = AuditEvent.objects.get(summary="Identity provider set up")
        assert event.changes["issuer"] == {"old": None, "new": provider.issuer}
        assert SECRET not in str(event.changes) + str(event.metadata)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"issuer": "http://login.example.com"}, "Enter the address of the provider"),
            ({"issuer": "not a url"}, "Enter the address of the provider"),
            ({"issuer": "https://169.254.169.254"}, "does not connect to 169.254.169.254"),
            ({"issuer": "https://localhost:1"}, "does not publish its configuration"),
            ({"client_secret": ""}, "Enter the client secret"),
            ({"name": ""}, "Enter a name"),
            ({"client_id": ""}, "Enter the client ID"),
        ],
    )
    def test_bad_values_are_refused(
        self, inside: Client, provider: IdentityProvider, changes: dict[str, str], words: str
    ) -> None:
        answer = inside.post("/access/people/provider/", self.data(provider, **changes))
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not Row.objects.exists()

    @pytest.mark.parametrize(
        "configuration",
        [{"issuer": "https://evil.example"}, {"token_endpoint": "http://localhost/token"}, {"jwks_uri": None}],
    )
    def test_a_provider_that_is_somebody_else_is_refused(
        self, inside: Client, provider: IdentityProvider, configuration: dict[str, Any]
    ) -> None:
        provider.configuration = configuration
        assert inside.post("/access/people/provider/", self.data(provider)).status_code == 422
        assert not Row.objects.exists()

    def test_a_change_keeps_the_secret_and_another_issuer_forgets_the_people(
        self,
        inside: Client,
        provider: IdentityProvider,
        row: Row,
        tenant: Tenant,
        ada: Administrator,
        certificate: Path,
    ) -> None:
        go(Client(), provider, tenant)
        inside.post("/access/people/provider/", self.data(provider, name="Entra", client_secret=""))
        row.refresh_from_db()
        assert (row.name, providers.secret_of(row)) == ("Entra", SECRET)
        assert SocialAccount.objects.count() == 1
        with identity.serve(certificate) as another:
            inside.post("/access/people/provider/", self.data(another))
        assert not SocialAccount.objects.exists()

    def test_it_is_removed(self, inside: Client, provider: IdentityProvider, row: Row, tenant: Tenant) -> None:
        assert inside.post("/access/people/provider/remove/").status_code == 302
        assert not Row.objects.exists()
        assert inside.get("/access/people/provider/remove/").status_code == 404
        assert AuditEvent.objects.filter(summary="Identity provider removed").exists()

    def test_the_secret_moves_to_the_newest_key(self, row: Row, settings: Any) -> None:
        settings.IRU_SECRET_KEYS = [f"9:{'ab' * 32}", *settings.IRU_SECRET_KEYS]
        assert [providers.rewrap(limit=10), providers.rewrap(limit=10)] == [1, 0]
        settings.IRU_SECRET_KEYS = settings.IRU_SECRET_KEYS[:1]
        row.refresh_from_db()
        assert providers.secret_of(row) == SECRET
