import time
from typing import Any, cast

import factory
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.utils import timezone
from factory.django import DjangoModelFactory

from access.audit.events import Actor
from access.kinds import WEBHOOK_TEST
from access.models import Administrator, ApiToken, AuditHead, Role, Tenant, Webhook, WebhookDelivery
from access.sign_in.authenticators import add_app
from access.tokens.lifecycle import create_token
from access.webhooks.lifecycle import create_webhook
from tests.types import IssuedApiToken, IssuedWebhook


class TenantFactory(DjangoModelFactory[Tenant]):
    class Meta:
        model = Tenant

    name = factory.Sequence(lambda n: f"Company {n}")
    subdomain = factory.Sequence(lambda n: f"company-{n}")
    # A test may make more calls in a second than the default allows.
    calls_per_second = 100_000
    calls_per_hour = 100_000_000

    @classmethod
    def _create(cls, model_class: type[Tenant], *args: Any, **fields: Any) -> Tenant:
        tenant = Tenant.objects.create(**fields)
        AuditHead.objects.create(tenant=tenant)
        return tenant


class AdministratorFactory(DjangoModelFactory[Administrator]):
    """Without `password` nobody can sign in as them except by the test client's force_login; hashing one takes time."""

    class Meta:
        model = Administrator

    tenant = factory.SubFactory(TenantFactory)
    email = factory.Sequence(lambda n: f"person-{n}@accuhive.test")
    first_name = factory.Faker("first_name")
    last_name = factory.Faker("last_name")
    role = Role.ADMIN
    password = None
    joined_at = factory.LazyFunction(timezone.now)

    class Params:
        pending = factory.Trait(joined_at=None)
        operator = factory.Trait(tenant=None, is_staff=True, is_superuser=True, role="")

    @classmethod
    def _create(cls, model_class: type[Administrator], *args: Any, **fields: Any) -> Administrator:
        return Administrator.objects.create_user(**fields)


class AuthenticatorFactory(DjangoModelFactory[Authenticator]):
    """An authenticator app with `secret`, which is SECRET without one. `code_of` returns its code."""

    class Meta:
        model = Authenticator

    user = factory.SubFactory(AdministratorFactory)

    @classmethod
    def _create(cls, model_class: type[Authenticator], *args: Any, **fields: Any) -> Authenticator:
        person = fields["user"]
        add_app(person=person, secret=fields.get("secret", SECRET), actor=Actor.command("test"))
        return Authenticator.objects.get(user=person, type=Authenticator.Type.TOTP)


SECRET = b"twenty bytes, exactly"[:20]


def code_of(secret: bytes = SECRET, *, periods: int = 0) -> str:
    """What an authenticator app with this secret shows, `periods` of thirty seconds from now."""
    return TOTP(secret, 6, SHA1(), 30).generate(int(time.time()) + periods * 30).decode()


class ApiTokenFactory(DjangoModelFactory[IssuedApiToken]):
    """Issued by the service. `.secret` is what an integration sends; `revoked`, `disabled` and `expired` end it."""

    class Meta:
        model = ApiToken

    class Params:
        revoked = False
        disabled = False
        expired = False

    tenant = factory.SubFactory(TenantFactory)
    name = factory.Sequence(lambda n: f"Integration {n}")
    created_by = factory.SubFactory(AdministratorFactory, tenant=factory.SelfAttribute("..tenant"))
    permissions: tuple[str, ...] = ()
    revoked_at = factory.Maybe("revoked", factory.LazyFunction(timezone.now), None)
    disabled_at = factory.Maybe("disabled", factory.LazyFunction(timezone.now), None)
    expires_at = factory.Maybe("expired", factory.LazyFunction(timezone.now), None)

    @classmethod
    def _create(cls, model_class: type[IssuedApiToken], *args: Any, **fields: Any) -> IssuedApiToken:
        created_by = fields.pop("created_by")
        # Set afterwards, for the service rightly refuses to issue a dead token.
        ends = ("revoked_at", "disabled_at", "expires_at")
        dates = {name: date for name in ends if (date := fields.pop(name, None))}
        issued = create_token(actor=Actor.of(created_by), **fields)
        token = cast("IssuedApiToken", issued.token)
        for name, date in dates.items():
            setattr(token, name, date)
        token.save(update_fields=list(dates))
        token.secret = issued.secret
        return token


class WebhookFactory(DjangoModelFactory[IssuedWebhook]):
    """Created by the service. `.secret` is what its receiver verifies messages with."""

    class Meta:
        model = Webhook

    tenant = factory.SubFactory(TenantFactory)
    url = "https://hooks.test/iru"
    kinds: tuple[str, ...] = ("token.created",)
    audit = False

    @classmethod
    def _create(cls, model_class: type[IssuedWebhook], *args: Any, **fields: Any) -> IssuedWebhook:
        issued = create_webhook(actor=Actor.command("test"), **fields)
        webhook = cast("IssuedWebhook", issued.webhook)
        webhook.secret = issued.secret
        return webhook


class WebhookDeliveryFactory(DjangoModelFactory[WebhookDelivery]):
    class Meta:
        model = WebhookDelivery

    webhook = factory.SubFactory(WebhookFactory)
    message_id = factory.Sequence(lambda n: f"msg_{n}")
    kind = WEBHOOK_TEST.id
    payload = '{"type":"webhook.test","timestamp":"2026-05-01T12:00:00.000000Z","data":{}}'
    next_attempt = factory.LazyFunction(timezone.now)
    created_at = factory.LazyFunction(timezone.now)
