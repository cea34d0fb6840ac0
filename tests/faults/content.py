"""Run as a script it fills a new database, and prints the token and the devices that the clients use."""

import json
import logging
import sys

import django

DEVICES = 40


def fill() -> None:
    from django.core.management import call_command

    from access.models import Role
    from access.permissions import catalogue
    from tests.factories.access import AdministratorFactory, ApiTokenFactory, TenantFactory
    from tests.factories.devices import BlueprintFactory, DeviceFactory

    call_command("migrate", interactive=False, verbosity=0)
    tenant = TenantFactory.create(name="Accuhive", subdomain="accuhive")
    AdministratorFactory.create(tenant=tenant, role=Role.OWNER, email="owner@accuhive.test")
    blueprint = BlueprintFactory.create(tenant=tenant)
    devices = [DeviceFactory.create(tenant=tenant, blueprint=blueprint) for _ in range(DEVICES)]
    token = ApiTokenFactory.create(tenant=tenant, permissions=[each.codename for each in catalogue])
    content = {"secret": token.secret, "devices": [str(device.uuid) for device in devices]}
    sys.stdout.write(json.dumps(content) + "\n")


if __name__ == "__main__":
    django.setup()
    logging.disable(logging.CRITICAL)
    fill()
