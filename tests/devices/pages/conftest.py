from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access.models import Administrator, Role, Tenant
from access.sign_in.sessions import AUTHENTICATED_AT
from devices.models import Device, PushCertificate
from tests.devices.pages.browsing import NAME, SignIn
from tests.factories.access import AdministratorFactory
from tests.factories.devices import DeviceFactory, UserFactory


@pytest.fixture
def sign_in(tenant: Tenant) -> SignIn:
    """`sign_in(Role.HELP_DESK)`: the browser of such a person, who gave their password a moment ago, or long ago."""

    def sign_in(role: Role = Role.OWNER, *, recently: bool = True, password: str | None = None) -> Client:
        found = Administrator.objects.filter(tenant=tenant, role=role, is_active=True).first()
        person = found or AdministratorFactory.create(tenant=tenant, role=role, password=password)
        client = Client()
        client.force_login(person)
        session = client.session
        session[AUTHENTICATED_AT] = int(timezone.now().timestamp()) if recently else 0
        session.save()
        return client

    return sign_in


@pytest.fixture
def mac(tenant: Tenant) -> Device:
    user = UserFactory.create(tenant=tenant, name="Ana Ruiz", email="ana@accuhive.test")
    return DeviceFactory.create(tenant=tenant, name=NAME, serial_number="C02XL0GYJG5H", user=user)


@pytest.fixture
def push_certificate(tenant: Tenant) -> PushCertificate:
    """A certificate without which no device of the tenant could be enrolled. Nothing here opens its key."""
    return PushCertificate.objects.create(
        tenant=tenant,
        topic="com.apple.mgmt.External.test",
        certificate="-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
        key_number=1,
        ciphertext=b"x",
        not_after=timezone.now() + timedelta(days=365),
    )
