"""Copy the ADE integrations of another tenant, without their server tokens, and its ADE devices."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Upper
from django.utils import timezone
from pydantic import AliasPath, Field

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.models import Section
from devices.imports.tenant.groups import Written, assign, read_rows, record_import
from devices.imports.values import Blankable, Flag, Moment, column
from devices.models import AdeDevice, AdeIntegration


class AdeIntegrationIn(Section):
    """A row of `GET /integrations/apple/ade`."""

    blueprint: Blankable[UUID] = Field(default=None, validation_alias=AliasPath("blueprint", "id"))
    use_blueprint_routing: Flag = False
    access_token_expiry: Moment
    server_name: Annotated[str, column(AdeIntegration, "server_name", required=True)]
    server_uuid: UUID
    admin_id: Annotated[str, column(AdeIntegration, "admin_id")] = ""
    org_name: Annotated[str, column(AdeIntegration, "org_name")] = ""
    org_email: Annotated[str, column(AdeIntegration, "org_email")] = ""
    org_phone: Annotated[str, column(AdeIntegration, "org_phone")] = ""
    org_address: Annotated[str, column(AdeIntegration, "org_address")] = ""
    org_type: Annotated[str, column(AdeIntegration, "org_type")] = ""
    stoken_file_name: Annotated[str, column(AdeIntegration, "stoken_file_name")] = ""
    last_device_sync: Blankable[Moment] = None
    email: Annotated[str, column(AdeIntegration, "email")] = Field(
        default="", validation_alias=AliasPath("defaults", "email")
    )
    phone: Annotated[str, column(AdeIntegration, "phone")] = Field(
        default="", validation_alias=AliasPath("defaults", "phone")
    )


class AdeDeviceIn(Section):
    """A row of `GET /integrations/apple/ade/devices`."""

    integration: UUID = Field(validation_alias=AliasPath("dep_account", "id"))
    blueprint: Blankable[UUID] = Field(default=None, validation_alias="blueprint_id")
    user: Blankable[UUID] = Field(default=None, validation_alias="user_id")
    use_blueprint_routing: Flag = False
    serial_number: Annotated[str, column(AdeDevice, "serial_number", required=True)]
    model: Annotated[str, column(AdeDevice, "model")] = ""
    description: Annotated[str, column(AdeDevice, "description")] = ""
    color: Annotated[str, column(AdeDevice, "color")] = ""
    device_family: Annotated[str, column(AdeDevice, "device_family")] = ""
    os: Annotated[str, column(AdeDevice, "os")] = ""
    device_assigned_by: Annotated[str, column(AdeDevice, "device_assigned_by")] = ""
    device_assigned_date: Blankable[Moment] = None
    profile_status: AdeDevice.ProfileStatus = AdeDevice.ProfileStatus.EMPTY
    profile_assign_time: Blankable[Moment] = None
    profile_push_time: Blankable[Moment] = None
    asset_tag: Annotated[str, column(AdeDevice, "asset_tag")] | None = None
    override_dep_profile_id: Blankable[UUID] = None
    last_assignment_status: Annotated[str, column(AdeDevice, "last_assignment_status")] = ""
    failed_assignment_attempts: Annotated[int, Field(ge=0, lt=2**31)] = 0
    assignment_status_received_at: Blankable[Moment] = None


@transaction.atomic
def write_ade_integrations(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Write servers at Apple with their defaults. The API does not return their tokens, so each must be renewed here.

    An integration that has already been renewed here stays as it is.
    """
    written = Written()
    stored = {row.uuid: row for row in tenant.ade_integrations.select_for_update()}
    servers = {row.server_uuid: row.uuid for row in stored.values()}
    blueprints = {row.uuid: row for row in tenant.blueprints.all()}
    new, changed = list[AdeIntegration](), list[AdeIntegration]()
    for row, id in read_rows(AdeIntegrationIn, "ADE integration", rows, written):
        integration = stored.get(id) or AdeIntegration(tenant=tenant, uuid=id)
        if servers.setdefault(row.server_uuid, id) != id:
            written.problems.add(f"ADE integration {row.server_name}", "another one has this server here")
            continue
        if integration.ciphertext is not None:
            continue
        facts = row.model_dump() | {"blueprint": blueprints.get(row.blueprint) if row.blueprint else None}
        if assign(integration, facts):
            (changed if integration.pk else new).append(integration)
        written.problems.add(
            f"ADE integration {row.server_name}", "its server token cannot be copied: renew it here with a new one"
        )
    AdeIntegration.objects.bulk_create(new)
    AdeIntegration.objects.bulk_update(changed, list(AdeIntegrationIn.model_fields))
    return record_import(tenant, actor, "ADE integrations", written, new=new, changed=changed)


@transaction.atomic
def write_ade_devices(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Write ADE devices with their assignments. A device whose serial number already exists here keeps its id."""
    written = Written()
    found = {row.serial_number.upper(): (row, id) for row, id in read_rows(AdeDeviceIn, "ADE device", rows, written)}
    rows_here = tenant.ade_devices.alias(upper=Upper("serial_number")).filter(upper__in=list(found))
    stored = {row.serial_number.upper(): row for row in rows_here.select_for_update(of=("self",))}
    integrations = {row.uuid: row for row in tenant.ade_integrations.all()}
    blueprints = {row.uuid: row for row in tenant.blueprints.all()}
    user_ids = {row.user for row, _ in found.values() if row.user}
    users = {user.uuid: user for user in tenant.users.filter(uuid__in=user_ids)}
    new, changed = list[AdeDevice](), list[AdeDevice]()
    for serial_number, (row, id) in found.items():
        integration = integrations.get(row.integration)
        if integration is None:
            written.problems.add(f"ADE device {row.serial_number}", "its integration is not here")
            continue
        device = stored.get(serial_number) or AdeDevice(tenant=tenant, uuid=id, listed_at=timezone.now())
        blueprint = blueprints.get(row.blueprint) if row.blueprint and not row.use_blueprint_routing else None
        named = {"integration": integration, "blueprint": blueprint, "user": users.get(row.user) if row.user else None}
        if assign(device, row.model_dump() | named):
            (changed if device.pk else new).append(device)
    AdeDevice.objects.bulk_create(new, batch_size=500)
    AdeDevice.objects.bulk_update(changed, list(AdeDeviceIn.model_fields), batch_size=100)
    return record_import(tenant, actor, "ADE devices", written, new=new, changed=changed)
