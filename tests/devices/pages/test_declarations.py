"""The required version on the page of a Blueprint, and the declarations on the page of a device."""

import re
from datetime import date, time
from typing import Any

import pytest
from django.utils import timezone

from access.models import Role, Tenant
from devices.declarations.current import current
from devices.models import Blueprint, Device, DeviceDeclarations, DeviceInventory, Enrollment, RequiredVersion
from tests.devices.pages.browsing import SignIn, on, text
from tests.factories.devices import BlueprintFactory, DeviceFactory

pytestmark = pytest.mark.django_db
FORM = {"version": "26.1", "date": "2030-12-24", "time": "18:00"}


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, name="Macs")


def words(response: Any) -> str:
    """The text of a page in one line, without its markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def url(blueprint: Blueprint, family: str = "mac") -> str:
    return f"/blueprints/{blueprint.uuid}/required-version/{family}/"


def test_a_version_is_required_changed_and_taken_back(blueprint: Blueprint, sign_in: SignIn) -> None:
    client, page = sign_in(Role.STANDARD), f"/blueprints/{blueprint.uuid}/"
    response = client.post(url(blueprint), FORM, headers=on(page))
    assert "blueprints-changed" in response["HX-Trigger"]
    assert "26.1 by Dec 24, 2030, 18:00" in words(client.get(page))
    dialog = client.get(url(blueprint)).content.decode()
    assert all(f'value="{value}"' in dialog for value in FORM.values())
    client.post(url(blueprint, "mobile"), FORM | {"version": " 18.7 "})
    assert set(blueprint.required_versions.values_list("family", "version")) == {("mac", "26.1"), ("mobile", "18.7")}
    client.post(url(blueprint), {"version": " ", "date": "", "time": ""})
    assert blueprint.required_versions.get().family == "mobile"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"version": "next"}, "Enter a version such as"),
        ({"version": "13.1"}, "Devices take this for macOS 14 and later."),
        ({"date": ""}, "Choose the day of the deadline."),
        ({"time": ""}, "Enter the time of the deadline."),
        ({"date": "2020-01-01"}, "This moment is over."),
        ({"date": "soon"}, "Enter a valid date."),
        ({"time": "25:00"}, "Enter a valid time."),
    ],
)
def test_a_form_that_is_refused(data: dict[str, str], words: str, blueprint: Blueprint, sign_in: SignIn) -> None:
    response = sign_in().post(url(blueprint), FORM | data)
    assert response.status_code == 422
    assert words in text(response)
    assert not RequiredVersion.objects.exists()


def test_a_family_that_is_none(blueprint: Blueprint, sign_in: SignIn) -> None:
    assert sign_in().get(url(blueprint, "watch")).status_code == 404


def test_help_desk_and_auditors_only_look(blueprint: Blueprint, sign_in: SignIn) -> None:
    for role in (Role.HELP_DESK, Role.AUDITOR):
        content = sign_in(role).get(f"/blueprints/{blueprint.uuid}/").content.decode()
        assert "Required system version" in content
        assert "required-version/" not in content


@pytest.fixture
def mac(tenant: Tenant, blueprint: Blueprint) -> Device:
    """A Mac that has been given its declarations, an update among them."""
    device = DeviceFactory.create(tenant=tenant, blueprint=blueprint, platform="Mac", os_version="15.1")
    DeviceInventory.objects.update_or_create(device=device, defaults={"details": {"mdm": {"supervised": "True"}}})
    RequiredVersion.objects.create(
        blueprint=blueprint, family="mac", version="26.1", date=date(2030, 1, 1), time=time(1)
    )
    now = timezone.now()
    enrollment = Enrollment.objects.create(
        tenant=tenant, device=device, udid="U", state="enrolled", created_at=now, enrolled_at=now
    )
    current(device, enrollment)
    return device


def report(device: Device, said: dict[str, Any], **states: dict[str, Any]) -> None:
    enrollment = device.enrollments.get()
    tokens = {each.identifier: each.server_token for each in current(device, enrollment).declarations}
    named = {f"iru.{name}": {"server_token": tokens[f"iru.{name}"]} | state for name, state in states.items()}
    DeviceDeclarations.objects.update(status=said, states=named, reported_at=timezone.now())


def test_a_device_shows_what_it_says_of_its_declarations(mac: Device, sign_in: SignIn) -> None:
    client, page = sign_in(Role.AUDITOR), f"/devices/{mac.uuid}/"
    content = words(client.get(page))
    assert "Activation Waiting Status reports Waiting Update to macOS 26.1 Waiting Last report" in content
    reason = {"code": "Error.X", "description": "The disk is <full>."}
    report(
        mac,
        {
            "softwareupdate.install-state": "failed",
            "softwareupdate.failure-reason": {"count": 2, "reason": "No power."},
        },
        activation={"active": True, "valid": "valid", "reasons": []},
        status={"active": False, "valid": "valid", "reasons": []},
        softwareupdate={"active": False, "valid": "invalid", "reasons": [reason, {"code": "Error.Y"}]},
    )
    content = words(client.get(page))
    assert "Activation Active Status reports Not active Update to macOS 26.1 Invalid" in content
    assert "The disk is &lt;full&gt;. Error.Y System update Failed: No power." in content


def test_a_state_of_an_earlier_revision_is_none(mac: Device, sign_in: SignIn) -> None:
    report(mac, {}, softwareupdate={"active": True, "valid": "valid", "reasons": []})
    RequiredVersion.objects.update(version="26.2")
    assert "Update to macOS 26.2 Waiting" in words(sign_in().get(f"/devices/{mac.uuid}/"))


def test_a_device_without_declarations_has_no_card(mac: Device, sign_in: SignIn) -> None:
    Device.objects.update(os_version="12.6")
    assert "Declarations" not in words(sign_in().get(f"/devices/{mac.uuid}/"))
