from collections.abc import Sequence

from access.models import Tenant
from devices.models import Blueprint, Device, Platform, User
from tests.factories.devices import ENROLLED


def store_macs(
    tenant: Tenant, count: int, *blueprints: Blueprint, people: Sequence[User] = (), record_size: int = 0
) -> list[Device]:
    """Many Macs at once, in turn of the Blueprints and people. A record is padded to `record_size` characters."""
    return Device.objects.bulk_create(
        (
            Device(
                tenant=tenant,
                name=f"Mac {n}",
                serial_number=f"C02{n:07}",
                platform=Platform.MAC,
                blueprint=blueprints[n % len(blueprints)],
                user=people[n % len(people)] if people else None,
                first_enrollment=ENROLLED,
                last_enrollment=ENROLLED,
                record_json=f'{{"device_name":"Mac {n}"}}'.ljust(record_size),
            )
            for n in range(count)
        ),
        batch_size=1000,
    )
