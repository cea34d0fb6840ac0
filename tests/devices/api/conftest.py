import uuid
from datetime import timedelta
from typing import Any

import pytest

from access.models import Tenant
from devices.api.operations import ade
from devices.api.routing import Operation
from devices.models import Platform
from tests.apple import KNOWN_CREDENTIALS
from tests.factories.devices import ENROLLED, BlueprintFactory, DeviceFactory, TagFactory, UserFactory


@pytest.fixture(autouse=True)
def apple_of_operations(request: pytest.FixtureRequest) -> None:
    """Apple's service, for generated tests of operations that check a token there."""
    callspec = getattr(request.node, "callspec", None)
    operation = callspec.params.get("operation") if callspec else None
    if isinstance(operation, Operation) and operation.upload is ade.TOKEN_FILE:
        request.getfixturevalue("apple").credentials = KNOWN_CREDENTIALS


@pytest.fixture
def mixed(tenant: Tenant, other_tenant: Tenant) -> dict[str, Any]:
    """Four devices that differ in everything a filter looks at, and a twin of the first in another tenant."""
    ann = UserFactory.create(tenant=tenant, name="Ann Fisher", email="ann@accuhive.test")
    bob = UserFactory.create(tenant=tenant, name="Bob", email="bob.ann@accuhive.test")
    design = BlueprintFactory.create(
        tenant=tenant, name="Design", uuid=uuid.UUID("aaaaaaaa-1111-4111-8111-000000000001")
    )
    shop = BlueprintFactory.create(tenant=tenant, name="Shop", uuid=uuid.UUID("bbbbbbbb-1111-4111-8111-000000000002"))
    vip, loaner = TagFactory.create(tenant=tenant, name="VIP"), TagFactory.create(tenant=tenant, name="loaner")
    common: dict[str, Any] = {
        "name": "alpha",
        "serial_number": "C02AAA111",
        "model": "MacBook Air",
        "os_version": "15.1",
        "asset_tag": "A-1",
        "mac_address": "AA:BB:CC:00:11:22",
        "filevault_enabled": True,
    }
    made = {
        "alpha": DeviceFactory.create(tenant=tenant, blueprint=design, user=ann, tags=[vip, loaner], **common),
        "beta": DeviceFactory.create(
            tenant=tenant,
            blueprint=design,
            user=bob,
            tags=[loaner],
            name="beta",
            serial_number="C02BBB222",
            model="Mac mini",
            os_version="14.7",
            filevault_enabled=False,
            last_check_in=None,
        ),
        "gamma": DeviceFactory.create(
            tenant=tenant,
            blueprint=shop,
            name="gamma",
            platform=Platform.IPHONE,
            model="iPhone 15",
            filevault_enabled=False,  # which no filter finds, because it is no Mac
            os_version="18.1",
            last_check_in=ENROLLED + timedelta(days=3),
        ),
        "delta": DeviceFactory.create(
            tenant=tenant,
            blueprint=shop,
            name="delta",
            platform=Platform.APPLE_TV,
            model="Apple TV 4K",
            os_version="18.1.1",
            last_check_in=ENROLLED + timedelta(days=2),
        ),
    }
    DeviceFactory.create(tenant=other_tenant, **common)
    return {**made, "ann": ann, "vip": vip, "loaner": loaner, "design": design}
