import pytest

from access.models import Tenant
from tests.devices.imports.importing import iphone, load, mac


@pytest.fixture
def known(tenant: Tenant) -> dict[str, str]:
    """The beginning of every answer about a Mac that the tenant has."""
    record, _ = mac()
    load(tenant, record)
    return {"device_id": record["device_id"]}


@pytest.fixture
def mobile(tenant: Tenant) -> dict[str, str]:
    """The same of an iPhone."""
    record, _ = iphone()
    load(tenant, record)
    return {"device_id": record["device_id"]}
