"""Adds the content of large pages to a copy of a fleet: tokens, events of the trail and rows of Prism.

Prints an id of what the pages and the measured changes are about.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import batched
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_DNS, uuid5

from tests.benchmarks.inside import answer, start

if TYPE_CHECKING:
    from access.models import Tenant

TOKENS = 10  # one for so many devices
EVENTS = 10  # for each device,
MOST_EVENTS = 1_000_000  # but no more than these
APPS = 8  # of an Apple device
MOST_WITH_APPS = 100_000  # devices; a larger fleet has one row of Prism a device
BATCH = 2000
EMAIL = "owner@benchmarks.test"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def add(tenant: "Tenant") -> dict[str, object]:
    from access.models import Administrator, Role

    size, token = tenant.devices.count(), tenant.api_tokens.get().pk
    Administrator.objects.create_user(
        EMAIL, tenant=tenant, role=Role.OWNER, first_name="Ada", last_name="Owner", joined_at=FIRST
    )
    _add_tokens(tenant, size // TOKENS)
    _add_events(tenant, min(size * EVENTS, MOST_EVENTS))
    _add_rows(tenant, apps=size <= MOST_WITH_APPS)
    return {"token": str(token), "blueprint": str(tenant.blueprints.order_by("pk")[0].uuid)}


def _add_tokens(tenant: "Tenant", count: int) -> None:
    from access.models import ApiToken

    for numbers in batched(range(count), BATCH, strict=False):
        ApiToken.objects.bulk_create(
            ApiToken(
                tenant=tenant,
                name=f"Integration {number}",
                description=f"Asks for the devices of site {number % 40}.",
                digest=f"{number:064}",  # of no secret
                key_number=1,
                permissions=["list_devices", "get_device", "get_device_details"][: 1 + number % 3],
                created_by_name=f"Administrator {number % 25}",
                created_by_type="user",
                created_at=FIRST + timedelta(minutes=number),
                last_used_at=FIRST + timedelta(days=200, minutes=number) if number % 5 else None,
            )
            for number in numbers
        )


def _add_events(tenant: "Tenant", count: int) -> None:
    """Events as those of a change of a device, without MACs that prove them: no page reads those.

    They are written as SQL, which takes a third of the time.
    """
    from django.db import connection, transaction

    from access.models import AuditEvent, AuditHead

    head = AuditHead.objects.get(tenant=tenant)
    rows = (_event(tenant.pk, number, head.sequence + number) for number in range(1, count + 1))
    for batch in batched(rows, BATCH, strict=False):
        columns, marks = ", ".join(batch[0]), ", ".join(["%s"] * len(batch[0]))
        statement = f"INSERT INTO {AuditEvent._meta.db_table} ({columns}) VALUES ({marks})"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(statement, [tuple(row.values()) for row in batch])
    AuditHead.objects.filter(tenant=tenant).update(sequence=head.sequence + count, mac=f"{count:064}")


def _event(tenant: int, number: int, sequence: int) -> dict[str, str | int]:
    """The columns of an event that may not be null."""
    actor, device = number % 500, number % 5000
    return {
        "ulid": f"{number:026}",
        "tenant_id": tenant,
        "sequence": sequence,
        "occurred_at": str((FIRST + timedelta(seconds=number * 20)).replace(tzinfo=None)),
        "action": "update" if number % 4 else "create",
        "summary": "Device updated",
        "actor_type": "api_token" if number % 3 else "user",
        "actor_id": _id("actor", actor),
        "actor_name": f"Integration {actor}",
        "target_type": "device",
        "target_id": _id("device", device),
        "target_name": f"MacBook Air {device}",
        "target_component": "",
        "changes": f'{{"asset_tag": {{"old": "A-{number}", "new": "B-{number}"}}}}',
        "new_state": f'{{"asset_tag": "B-{number}", "name": "MacBook Air {device}"}}',
        "mac": f"{number:064}",
        "key_number": 1,
    }


@cache
def _id(kind: str, number: int) -> str:
    return str(uuid5(NAMESPACE_DNS, f"{kind} {number}"))


def _add_rows(tenant: "Tenant", *, apps: bool) -> None:
    from devices.models import APPLE
    from devices.models.devices import Platform
    from devices.prism.rows import store_rows

    devices = tenant.devices.filter(platform__in=APPLE).order_by("pk").values_list("pk", "platform")
    for batch in batched(devices.iterator(), BATCH, strict=False):
        macs = [pk for pk, platform in batch if platform == Platform.MAC]
        store_rows(
            tenant=tenant, category="application_firewall", reports={pk: [{"status": pk % 9 > 0}] for pk in macs}
        )
        if apps:
            store_rows(tenant=tenant, category="apps", reports={pk: _apps(pk) for pk, _ in batch})


def _apps(device: int) -> list[dict[str, Any]]:
    """Apps of a device: most are on many devices, in few versions."""
    numbers = {(device * 7 + place * place * 11) % (40 if place else 2000) for place in range(APPS)}
    return [
        {
            "name": f"App {number}",
            "bundle_id": f"com.example.app{number}",
            "path": f"/Applications/App {number}.app",
            "version": (version := f"{1 + (device + number) % 5}.0"),
            "short_version": version,
            "bundle_size": 1_000_000 + number,
        }
        for number in sorted(numbers)
    ]


if __name__ == "__main__":
    start()
    from access.models import Tenant
    from tests.benchmarks.rows import analyze

    content = add(Tenant.objects.get())
    analyze()
    answer(content)
