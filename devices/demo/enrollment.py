"""Automated Device Enrollment in the demo company: its servers at Apple, and their devices."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.demo.library import fixed_id
from devices.enrollment.ade_keys import put_server_token
from devices.enrollment.server_tokens import ServerToken
from devices.models import APPLE, AdeDevice, AdeIntegration, Device, Platform

AUTOMATED = 0.8  # the share of Apple devices that were enrolled this way
WAITING = 14  # devices that were bought and have not enrolled yet
SYSTEMS = {Platform.MAC: "OSX", Platform.IPAD: "iPadOS", Platform.IPHONE: "iOS", Platform.APPLE_TV: "tvOS"}
COLORS = ("SILVER", "SPACE GRAY", "MIDNIGHT", "GOLD")
PURCHASES = (
    ("MacBook Air", "MBA 13.6 SLV/8C GPU/8GB/256GB-USA", Platform.MAC),
    ("MacBook Pro", "MBP 14.2 SPG/14C GPU/18GB/512GB-USA", Platform.MAC),
    ("iPhone 16", "IPHONE 16 BLACK 128GB-USA", Platform.IPHONE),
    ("iPad Air", "IPAD AIR 11 WIFI 128GB SPG-USA", Platform.IPAD),
)
BUYER = "purchasing@accuhive.example"
_LETTERS = "0123456789CDFGHJKLMNPQRTVWXY"


@transaction.atomic
def add_enrollment(*, tenant: Tenant, actor: Actor, now: datetime, limit: int) -> None:
    """Add two servers, one with a token that Apple refuses, and ADE devices for up to `limit` devices of the fleet.

    A tenant that has a server already stays unchanged. The same fleet always gets the same ADE devices.
    """
    if tenant.ade_integrations.exists():
        return
    working, broken = _servers(tenant, now)
    AdeIntegration.objects.bulk_create([working, broken])
    fleet = tenant.devices.filter(platform__in=APPLE).exclude(serial_number="").select_related("blueprint", "user")
    devices = list(fleet.defer("record_json").order_by("pk")[:limit])
    rows = [*_enrolled(working, devices), *_waiting(working, now)]
    AdeDevice.objects.bulk_create(rows, batch_size=500)
    log_event(
        target=Target.whole(tenant),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary="Demo enrollment added",
        metadata={"integrations": 2, "devices": len(rows)},
    )


def _servers(tenant: Tenant, now: datetime) -> tuple[AdeIntegration, AdeIntegration]:
    working = _server(tenant, "Accuhive Devices", now + timedelta(days=212, hours=5))
    working.last_device_sync = now - timedelta(minutes=17)
    working.blueprint = tenant.blueprints.filter(name="Company Macs").first() or tenant.blueprints.first()
    broken = _server(tenant, "Accuhive Stores", now + timedelta(days=21, hours=9))
    broken.use_blueprint_routing = True
    broken.refusal, broken.refused_at = AdeIntegration.Reason.FORBIDDEN, now - timedelta(days=3, seconds=41)
    for server in (working, broken):
        # Leased until its token expires, so that no worker sends the demo's token to Apple.
        server.leased_until = server.access_token_expiry
    return working, broken


def _server(tenant: Tenant, name: str, expiry: datetime) -> AdeIntegration:
    created = expiry - timedelta(days=365)
    server = AdeIntegration(
        tenant=tenant,
        uuid=fixed_id("ade integration", tenant.subdomain, name),
        server_uuid=fixed_id("ade server", tenant.subdomain, name),
        server_name=name,
        admin_id="ana.ruiz@accuhive.example",
        org_name="Accuhive",
        org_email="it@accuhive.example",
        org_phone="+1 555 0100",
        org_address="12 Hive Street, Lisbon",
        org_type="org",
        stoken_file_name=f"{name}_Token_{created:%Y-%m-%dT%H-%M-%SZ}_smime.p7m",
        email="it@accuhive.example",
        phone="+1 555 0100",
    )
    credentials: dict[str, Any] = dict.fromkeys(ServerToken.model_fields, "demo") | {"access_token_expiry": expiry}
    put_server_token(server, ServerToken.model_validate(credentials))
    return server


def _enrolled(server: AdeIntegration, devices: list[Device]) -> Iterator[AdeDevice]:
    """The ADE device of each device that was enrolled automatically."""
    for device in devices:
        random = Random(f"ade {device.uuid}")  # noqa: S311 - reproducible demo data
        if random.random() > AUTOMATED:
            continue
        assigned = device.first_enrollment - timedelta(days=random.randint(1, 20), seconds=random.randint(0, 86_399))
        routed = random.random() < 0.1
        yield _device(
            server,
            random,
            serial_number=device.serial_number,
            platform=device.platform,
            model=device.model.split(" (")[0],
            assigned=assigned,
            profile_status=AdeDevice.ProfileStatus.PUSHED,
            profile_push_time=device.first_enrollment.replace(microsecond=0),
            blueprint=None if routed else device.blueprint,
            use_blueprint_routing=routed,
            user=device.user,
            asset_tag=device.asset_tag or None,
        )


def _waiting(server: AdeIntegration, now: datetime) -> Iterator[AdeDevice]:
    """Devices that have not enrolled yet. The newest have no profile yet."""
    random = Random(f"ade {server.uuid}")  # noqa: S311
    for number in range(WAITING):
        model, description, platform = random.choice(PURCHASES)
        empty = number < 3
        yield _device(
            server,
            random,
            serial_number="H" + "".join(random.choices(_LETTERS, k=9)),
            platform=platform,
            model=model,
            description=description,
            assigned=now - timedelta(days=number // 2, seconds=random.randint(600, 40_000)),
            profile_status=AdeDevice.ProfileStatus.EMPTY if empty else AdeDevice.ProfileStatus.ASSIGNED,
            blueprint=server.blueprint,
        )


def _device(
    server: AdeIntegration, random: Random, *, platform: str, assigned: datetime, profile_status: str, **facts: Any
) -> AdeDevice:
    given = None if profile_status == AdeDevice.ProfileStatus.EMPTY else assigned + timedelta(minutes=30)
    return AdeDevice(
        tenant=server.tenant,
        uuid=fixed_id("ade device", server.tenant.subdomain, facts["serial_number"]),
        integration=server,
        device_family=platform,
        os=SYSTEMS[Platform(platform)],
        color=random.choice(COLORS),
        device_assigned_by=BUYER,
        device_assigned_date=assigned.replace(microsecond=0),
        profile_status=profile_status,
        profile_assign_time=given and given.replace(microsecond=0),
        last_assignment_status="SUCCESS" if given else "",
        assignment_status_received_at=given,
        listed_at=assigned,
        **facts,
    )
