"""Writes the Blueprint Routing of another tenant, and its activity."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor
from access.models import Tenant
from devices.enrollment import codes as enrollment_codes
from devices.enrollment.routing import routing_of
from devices.imports.errors import RowError, validated
from devices.imports.tenant.groups import Written, assign, record_import
from devices.imports.tenant.models import RoutingActivityIn, RoutingIn
from devices.imports.values import storable
from devices.models import BlueprintRouting, RoutingActivity


@transaction.atomic
def write_routing(*, tenant: Tenant, answer: Any, actor: Actor) -> Written:
    """The enrollment code, and whether it is active. A source without a code, or one that a blueprint has here, leaves
    the routing as it is."""
    enrollment_codes.lock(tenant)
    written, routing = Written(), routing_of(tenant)
    new, changed = list[BlueprintRouting](), list[BlueprintRouting]()
    had_code = routing.enrollment_code != ""
    if (facts := _usable(answer, routing, written)) and assign(routing, facts):
        (changed if had_code else new).append(routing)
        routing.save()
    return record_import(tenant, actor, "Blueprint Routing", written, new=new, changed=changed)


def _usable(answer: Any, routing: BlueprintRouting, written: Written) -> dict[str, Any] | None:
    """The columns that the answer gives, None where they cannot be used."""
    try:
        facts = validated(RoutingIn, answer).model_dump()
    except RowError as error:
        written.problems.add("Blueprint Routing", str(error))
        return None
    if not (code := facts["enrollment_code"]):
        return None
    try:
        enrollment_codes.check(code, routing)
    except ValidationError:
        written.problems.add("Blueprint Routing", f"a Blueprint has the enrollment code {code} here")
        return None
    return facts


@transaction.atomic
def write_routing_activity(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """What happened to the routing and through it. A row that the tenant has already is known by all that it says,
    because each tenant numbers its own."""
    enrollment_codes.lock(tenant)
    written = Written()
    # In the order in which it happened, so that rows of one moment keep theirs: the source lists the newest first.
    read = [activity for row in reversed(list(rows)) if (activity := _read(tenant, row, written))]
    stored = tenant.routing_activity.filter(activity_time__in={row.activity_time for row in read})
    known = [_content(row) for row in stored]
    new = []
    for row in read:
        if (content := _content(row)) not in known:
            known.append(content)
            new.append(row)
    RoutingActivity.objects.bulk_create(new)
    return record_import(tenant, actor, "Blueprint Routing activity", written, new=new, changed=[])


def _read(tenant: Tenant, row: Any, written: Written) -> RoutingActivity | None:
    try:
        facts = validated(RoutingActivityIn, storable(row) if isinstance(row, dict) else row)
    except RowError as error:
        written.problems.add("Blueprint Routing activity", str(error))
        return None
    return RoutingActivity(
        tenant=tenant,
        activity_time=facts.activity_time,
        activity_type=facts.activity_type,
        user_id=str(facts.user.id) if facts.user.id else "",
        user_email=facts.user.email,
        device_uuid=facts.device_id,
        details=facts.details,
    )


def _content(row: RoutingActivity) -> tuple[Any, ...]:
    return row.activity_time, row.activity_type, row.user_id, row.user_email, row.device_uuid, row.details
