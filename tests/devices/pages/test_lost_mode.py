"""The list of devices and the page of one: what is found, what is shown, and what it costs."""

import pytest

from access.models import Tenant
from devices.models import Platform
from tests.devices.pages.browsing import SignIn, page, text
from tests.factories.devices import (
    DeviceCommandFactory,
    DeviceFactory,
    LostModeFactory,
)
from tests.markup import facts

pytestmark = pytest.mark.django_db


def test_lost_mode_is_told(tenant: Tenant, sign_in: SignIn) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, lost_mode_status="error")
    LostModeFactory.create(device=device, status="error", message="Call us", latitude="1.5", longitude="2.5")
    content = text(sign_in().get(page("device", device)))
    assert "Lost Mode: error" in content
    assert "Call us" in content
    assert "1.5, 2.5" in content
    assert page("lost-mode-cancel", device) in content


def test_fields_missing_in_an_import_stay_missing(tenant: Tenant, sign_in: SignIn) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, lost_mode_status="enabled")
    LostModeFactory.create(
        device=device, enabled_by="", enable_status_at=None, disable_status="pending", disabled_by="Bo", imported=True
    )
    DeviceCommandFactory.create(device=device, command="", command_type="SecurityInfo", requested_by="")
    client = sign_in()
    content = text(client.get(page("device", device)))
    assert "Enabled by" not in content
    assert facts(content)["To be disabled"] == "Pending, by Bo"
    commands = text(client.get(page("device-commands", device)))
    assert "SecurityInfo" in commands
    assert "Imported" in commands
