"""Data of earlier versions after `migrate`."""

from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from access.audit.chain import verify
from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from access.refusals import Refusal
from access.tokens.authentication import authenticate
from access.tokens.lifecycle import create_token
from devices.enrollment.authorities import Purpose, authority
from devices.fleet.secrets import read_secrets
from devices.models import DeviceSecret, Enrollment
from tests.upgrade import data

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ACTOR = Actor.command("test")


@pytest.mark.parametrize("version", data.VERSIONS)
def test_an_installation_of_an_earlier_version_works_after_migrate(
    version: str, tmp_path: Path, settings: Settings
) -> None:
    with data.restored(version, tmp_path) as (keys, expected):
        for name, value in keys.items():
            setattr(settings, name, value.split(",") if name.endswith("KEYS") else value)
        settings.IRU_AUDIT_KEYS = []
        call_command("migrate", verbosity=0, interactive=False)

        tenant = Tenant.objects.get(subdomain="accuhive")
        verify(tenant)
        verify(None)
        call_command("check_records")
        assert authenticate(f"Bearer {expected['token']}", subdomain="accuhive").name == "Inventory"
        with pytest.raises(Refusal):
            authenticate(f"Bearer {expected['revoked_token']}", subdomain="accuhive")

        device = tenant.devices.get(uuid=expected["device"])
        assert device.asset_tag == expected["asset_tag"]
        assert [note.content for note in device.notes.all()] == [expected["note"]]
        kinds = [DeviceSecret.Kind.FILEVAULT_KEY]
        assert read_secrets(tenant=tenant, device_id=device.uuid, kinds=kinds, actor=ACTOR) == [
            expected["filevault_key"]
        ]
        assert tenant.devices.count() == expected["devices"]
        assert tenant.enrollments.filter(state=Enrollment.State.ENROLLED).count() == expected.get("enrolled", 0)
        if expected.get("enrolled"):
            issued = tenant.device_certificates.values_list("authority", flat=True)
            assert {*issued} == {authority(tenant, Purpose.DEVICES).row.pk}, "the key of the authority is read for this"

        create_token(tenant=tenant, name="Later", permissions=[], actor=ACTOR)
        verify(tenant)  # the trail goes on where the earlier version left it
        with pytest.raises(Exception, match="append-only"):
            AuditEvent.objects.filter(tenant=tenant).delete()
