import pytest
from django.test import Client

from access.models import Administrator, ApiToken, Tenant
from tests.factories.everything import something_of_everything


@pytest.fixture
def console(operator: Administrator) -> Client:
    """A browser in which the operator has signed in."""
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def token(tenant: Tenant) -> ApiToken:
    """One of a tenant that has something of everything."""
    return something_of_everything(tenant)
