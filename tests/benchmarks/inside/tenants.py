"""Adds tenants with a few devices each, and prints the host, the token and the devices of each."""

from typing import Any

from tests.benchmarks.inside import answer, start

DEVICES = 60


def add(count: int) -> list[dict[str, Any]]:
    from access.audit.events import Actor
    from access.people.tenants import create_tenant
    from tests.benchmarks.build import unlimited_token
    from tests.benchmarks.rows import documents, fill

    added = []
    for number in range(count):
        actor = Actor.command("benchmarks")
        tenant = create_tenant(name=f"Writers {number}", subdomain=f"writers{number}", actor=actor)
        secret = unlimited_token(tenant, actor)
        fill(tenant, documents(DEVICES))
        devices = [str(uuid) for uuid in tenant.devices.order_by("pk").values_list("uuid", flat=True)]
        added.append({"host": tenant.api_host, "secret": secret, "devices": devices})
    return added


if __name__ == "__main__":
    (count,) = start()
    answer(add(int(count)))
