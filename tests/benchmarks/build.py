"""Run as a script it migrates a new database, fills it with a fleet, and prints what a client needs to call the API."""

import argparse
import json
import logging
import sys
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from access.audit.events import Actor
    from access.models import Tenant

NAME = "benchmarks"  # of the tenant, its token and the author of its events
SAMPLE = 1000  # devices whose ids are printed


def build(count: int) -> dict[str, object]:
    """The content of the new fleet: the token, the host to call, and the ids of devices all over the fleet."""
    from django.core.management import call_command

    from access.audit.events import Actor
    from access.people.tenants import create_tenant
    from tests.benchmarks.rows import analyze, documents, fill

    call_command("migrate", interactive=False, verbosity=0)
    actor = Actor.command(NAME)
    tenant = create_tenant(name="Accuhive", subdomain="accuhive", actor=actor)
    secret = unlimited_token(tenant, actor)
    fill(tenant, documents(count))
    analyze()
    step = max(1, count // SAMPLE)
    ids = tenant.devices.order_by("pk").values_list("uuid", flat=True)[::step]
    return {"secret": secret, "host": tenant.api_host, "devices": [str(id) for id in ids][:SAMPLE]}


def unlimited_token(tenant: "Tenant", actor: "Actor") -> str:
    """The secret of a new token with every permission, after the limits of the tenant were raised."""
    from access.permissions import catalogue
    from access.tokens.lifecycle import create_token

    tenant.calls_per_second, tenant.calls_per_hour = 1_000_000, 1_000_000_000
    tenant.save(update_fields=["calls_per_second", "calls_per_hour"])
    permissions = [permission.codename for permission in catalogue]
    return create_token(tenant=tenant, name=NAME, actor=actor, permissions=permissions).secret


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fill a new database with a fleet.")
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    django.setup()
    logging.disable(logging.CRITICAL)
    sys.stdout.write(json.dumps(build(options.count)) + "\n")
