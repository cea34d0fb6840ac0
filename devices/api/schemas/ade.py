from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, StringConstraints

from devices.api.pagination import PageNumber
from devices.dates import whole_seconds, zulu
from devices.enrollment.ade import Defaults
from devices.enrollment.ade_devices import AdeDeviceChanges
from devices.inputs import Body
from devices.models import AdeDevice, AdeIntegration, Blueprint, Device

type Email = Annotated[
    str,
    StringConstraints(min_length=1, max_length=254),
    Field(description="The address that devices show for support during their enrollment."),
]
type Phone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60),
    Field(description="The phone number that devices show for support during their enrollment."),
]
# A form cannot express null, so an empty field means null.
type OptionalUUID = Annotated[UUID | None, BeforeValidator(lambda value: None if value == "" else value)]
DefaultBlueprint = Annotated[
    OptionalUUID,
    Field(
        description="The id of the Blueprint of devices that are assigned later; required without Blueprint Routing."
    ),
]

FAMILIES = AdeDevice.Family.values
ENROLLED, REMOVED = 3, 4  # the two states seen in answers of the public API


class AdeDefaults(Body):
    """The Blueprint or Blueprint Routing of devices that are assigned later, and the support contact they show."""

    blueprint_id: DefaultBlueprint = None
    use_blueprint_routing: bool = Field(
        default=False,
        description="Whether Blueprint Routing finds the Blueprint; true needs `blueprint_id` to be left out.",
    )
    phone: Phone
    email: Email

    def defaults(self) -> Defaults:
        return Defaults(**self.model_dump())


class AdeDefaultsChange(AdeDefaults):
    blueprint_id: DefaultBlueprint


class AdeDeviceQuery(PageNumber):
    """Filters of the list of ADE devices. A device must match all given filters."""

    blueprint_id: str | None = Field(
        default=None,
        description="Devices whose Blueprint has an id that contains this text, with or without its dashes.",
    )
    user_id: UUID | None = Field(default=None, description="Devices for the user with exactly this id.")
    dep_account: UUID | None = Field(default=None, description="Devices of the integration with exactly this id.")
    device_family: str | None = Field(
        default=None, description=f"Devices of exactly this family: {', '.join(FAMILIES)}."
    )
    model: str | None = Field(default=None, description="Devices whose model contains this text; case is ignored.")
    os: str | None = Field(default=None, description="Devices with exactly this operating system, as Apple names it.")
    profile_status: str | None = Field(
        default=None,
        description="Devices whose enrollment profile has exactly this status: "
        f"{', '.join(AdeDevice.ProfileStatus.values)}.",
    )
    serial_number: str | None = Field(
        default=None, description="Devices whose serial number contains this text; case is ignored."
    )


class AdeDeviceUpdate(Body):
    """Any subset of these. A Blueprint ends routing, and routing removes the Blueprint. Null clears other fields."""

    blueprint_id: OptionalUUID = Field(
        default=None,
        validation_alias=AliasChoices("blueprint_id", "blueprint"),
        description="The id of the Blueprint that the device gets when it enrolls; it ends Blueprint Routing.",
    )
    use_blueprint_routing: bool = Field(
        default=False,
        description="Whether Blueprint Routing finds the Blueprint at enrollment; true removes the Blueprint.",
    )
    override_dep_profile_id: OptionalUUID = Field(
        default=None, description="The id of a library item with another enrollment profile; null removes it."
    )
    user_id: OptionalUUID = Field(
        default=None,
        validation_alias=AliasChoices("user_id", "user"),
        description="The id of the user that the device gets when it enrolls; null clears it.",
    )
    asset_tag: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        default=None, description="The asset tag that the device gets when it enrolls; null clears it."
    )

    def changes(self) -> AdeDeviceChanges:
        changes: AdeDeviceChanges = {}
        changes.update(self.model_dump(exclude_unset=True))  # type: ignore[typeddict-item]
        return changes


class AdeBlueprint(BaseModel):
    id: UUID
    name: str
    icon: str
    color: str

    @classmethod
    def of(cls, blueprint: Blueprint) -> "AdeBlueprint":
        return cls.model_construct(id=blueprint.uuid, name=blueprint.name, icon=blueprint.icon, color=blueprint.color)


class AdeContact(BaseModel):
    email: str
    phone: str


class AdeIntegrationOut(BaseModel):
    id: UUID
    blueprint: AdeBlueprint | None
    use_blueprint_routing: bool
    access_token_expiry: str
    server_name: str
    server_uuid: UUID
    admin_id: str
    org_name: str
    org_email: str
    org_phone: str
    org_address: str
    org_type: str
    stoken_file_name: str
    last_device_sync: str | None
    defaults: AdeContact
    days_left: int
    status: str
    status_reason: str | None
    status_received_at: str | None
    device_counts: dict[str, int]

    @classmethod
    def of(cls, integration: AdeIntegration, counts: dict[str, int]) -> "AdeIntegrationOut":
        """`counts` has the number of its devices for each family, from `device_counts`."""
        blueprint = integration.live_blueprint
        reason, since = integration.broken or (None, None)
        return cls.model_construct(
            id=integration.uuid,
            blueprint=AdeBlueprint.of(blueprint) if blueprint else None,
            use_blueprint_routing=integration.use_blueprint_routing,
            access_token_expiry=whole_seconds(integration.access_token_expiry),
            server_name=integration.server_name,
            server_uuid=integration.server_uuid,
            admin_id=integration.admin_id,
            org_name=integration.org_name,
            org_email=integration.org_email,
            org_phone=integration.org_phone,
            org_address=integration.org_address,
            org_type=integration.org_type,
            stoken_file_name=integration.stoken_file_name,
            last_device_sync=zulu(integration.last_device_sync),
            defaults=AdeContact.model_construct(email=integration.email, phone=integration.phone),
            days_left=integration.days_left,
            status=integration.status,
            status_reason=reason and reason.value,
            status_received_at=zulu(since),
            device_counts=counts | {"total": sum(counts.values())},
        )


class AdeAccount(BaseModel):
    id: UUID
    server_name: str


class AdeEnrolledDevice(BaseModel):
    id: UUID
    enrolled_at: str
    name: str
    enrollment_status: int
    deferred_install: bool
    is_missing: bool
    is_removed: bool

    @classmethod
    def of(cls, device: Device) -> "AdeEnrolledDevice":
        return cls.model_construct(
            id=device.uuid,
            enrolled_at=zulu(device.last_enrollment),
            name=device.name,
            enrollment_status=REMOVED if device.is_removed else ENROLLED,
            deferred_install=False,
            is_missing=device.is_missing,
            is_removed=device.is_removed,
        )


class AdeDeviceOut(BaseModel):
    blueprint_id: UUID | None
    mdm_device: AdeEnrolledDevice | None
    user_id: UUID | None
    tags: list[str]
    dep_account: AdeAccount
    asset_tag: str | None
    override_dep_profile_id: UUID | None
    color: str
    description: str
    device_assigned_by: str
    device_assigned_date: str | None
    device_family: str
    model: str
    os: str
    profile_assign_time: str | None
    profile_push_time: str | None
    profile_status: str
    serial_number: str
    id: UUID
    last_assignment_status: str
    failed_assignment_attempts: int
    assignment_status_received_at: str | None
    use_blueprint_routing: bool

    @classmethod
    def of(cls, row: AdeDevice, enrolled: Device | None) -> "AdeDeviceOut":
        """`row` comes from `AdeDevice.objects.complete()`, `enrolled` from `devices.enrollment.ade_devices`."""
        return cls.model_construct(**cls._values(row, enrolled))

    @staticmethod
    def _values(row: AdeDevice, enrolled: Device | None) -> dict[str, Any]:
        blueprint = row.live_blueprint
        return {
            "blueprint_id": blueprint and blueprint.uuid,
            "mdm_device": enrolled and AdeEnrolledDevice.of(enrolled),
            "user_id": row.user and row.user.uuid,
            "tags": sorted(tag.name for tag in enrolled.tags.all()) if enrolled else [],
            "dep_account": AdeAccount.model_construct(id=row.integration.uuid, server_name=row.integration.server_name),
            "asset_tag": row.asset_tag,
            "override_dep_profile_id": row.override_dep_profile_id,
            "color": row.color,
            "description": row.description,
            "device_assigned_by": row.device_assigned_by,
            "device_assigned_date": whole_seconds(row.device_assigned_date),
            "device_family": row.device_family,
            "model": row.model,
            "os": row.os,
            "profile_assign_time": whole_seconds(row.profile_assign_time),
            "profile_push_time": whole_seconds(row.profile_push_time),
            "profile_status": row.profile_status,
            "serial_number": row.serial_number,
            "id": row.uuid,
            "last_assignment_status": row.last_assignment_status,
            "failed_assignment_attempts": row.failed_assignment_attempts,
            "assignment_status_received_at": zulu(row.assignment_status_received_at),
            "use_blueprint_routing": row.use_blueprint_routing,
        }


class OneAdeDeviceOut(AdeDeviceOut):
    """The same, with the Blueprint and the user repeated under their former names in the API."""

    blueprint: UUID | None
    user: UUID | None

    @classmethod
    def of(cls, row: AdeDevice, enrolled: Device | None) -> "OneAdeDeviceOut":
        values = cls._values(row, enrolled)
        return cls.model_construct(**values, blueprint=values["blueprint_id"], user=values["user_id"])
