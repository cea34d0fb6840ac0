"""Run as a script it enqueues a task of each kind that no schedule enqueues, and prints the paths of all kinds."""

import json
import logging
import sys
from uuid import uuid4

import django


def enqueue() -> None:
    from access.audit.events import Actor
    from access.models import Role, Tenant
    from access.people.invitations import invite_administrator
    from access.sign_in.mail import send_password_link
    from access.tokens.digests import digests
    from access.tokens.leaks import disable_leaked
    from access.webhooks.lifecycle import send_test
    from devices.bulk.actions import start_bulk_action
    from devices.bulk.changes import AddTag
    from devices.enrollment.ade_sync import sync_ade_integration
    from devices.fleet.records import refresh_parts
    from devices.prism.exports import request_export
    from tests.factories.access import ApiTokenFactory, WebhookFactory
    from tests.factories.devices import AdeTokenFactory, TagFactory

    actor = Actor.command("faults")
    tenant = Tenant.objects.get()
    owner = tenant.administrators.get(role=Role.OWNER)
    invite_administrator(tenant=tenant, email="new@accuhive.test", role=Role.ADMIN, actor=actor, host="iru.test")
    send_password_link(owner.email, "iru.test")
    leaked = ApiTokenFactory.create(tenant=tenant, name="Leaked", created_by=owner)  # with a notice to the owner
    disable_leaked.enqueue(digests=[digest.value for digest in digests(leaked.secret)], address="203.0.113.9")
    webhook = WebhookFactory.create(tenant=tenant)  # to a name that does not exist
    send_test(tenant=tenant, webhook_id=webhook.uuid, actor=actor)
    start_bulk_action(
        tenant=tenant,
        id=uuid4(),
        change=AddTag(tenant, TagFactory.create(tenant=tenant, name="Everywhere")),
        targets=tenant.devices.order_by("pk"),
        selection="Selected rows",
        at_most=1000,
        actor=Actor.of(owner),
    )
    request_export(tenant=tenant, category="device_information", actor=actor)
    sync_ade_integration.enqueue(AdeTokenFactory.create(tenant=tenant).pk)
    refresh_parts.enqueue(list(tenant.devices.values_list("pk", flat=True)))


def paths() -> list[str]:
    from django.urls import get_resolver

    from access.tasks.backend import RetriedTask

    assert get_resolver().url_patterns  # imports every module that declares a task
    return sorted(
        {
            each.module_path
            for name, module in list(sys.modules.items())
            if name.startswith(("access.", "devices."))
            for each in vars(module).values()
            if isinstance(each, RetriedTask)
        }
    )


if __name__ == "__main__":
    django.setup()
    logging.disable(logging.CRITICAL)
    enqueue()
    sys.stdout.write(json.dumps(paths()) + "\n")
