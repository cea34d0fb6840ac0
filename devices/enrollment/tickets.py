"""Tickets: signed texts that let a device get a certificate. A ticket is the challenge of its SCEP request.

The form is `v1.<JSON>.<HMAC-SHA256>`, each part in base64url, under keys that are derived from IRU_SECRET_KEYS.
"""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson
from django.utils import timezone

from access.keyrings import derived_keyring
from access.models import Tenant
from devices.models import AdeDevice, Blueprint, BlueprintRouting, UsedTicket

VERSION = "v1"
LONGEST = 1000  # characters
MANUAL = timedelta(days=3650)  # a profile may lie in another management tool for years; its code ends it
RENEWAL = timedelta(days=45)
RETURN = timedelta(days=7)
AUTOMATIC = timedelta(hours=1)


class Purpose(StrEnum):
    MANUAL = "manual"  # for any number of devices, as long as the enrollment code is active and not changed
    AUTOMATIC = "ade"  # for one device that Apple has assigned to the tenant, once
    RETURN = "return"  # for one device that erases itself and then enrolls again, once
    RENEWAL = "renew"  # for one device that is enrolled, once


class TicketRefused(Exception):
    """The text is no ticket of this tenant, or the ticket is no longer valid. The message is for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """`blueprint` is a primary key, None for the routing. `device` is that of a renewal, and `enrollment` its own.

    A device that Apple has assigned is known by its `serial`, and by the digest of what it said: `machine`.
    """

    tenant: int
    purpose: Purpose
    nonce: str
    expires: int  # seconds since 1970
    blueprint: int | None = None
    generation: int = 0
    device: int | None = None
    enrollment: int | None = None
    simulated: bool = False
    serial: str = ""
    machine: str = ""

    def as_json(self) -> dict[str, Any]:
        fields = {
            "t": self.tenant,
            "p": self.purpose.value,
            "b": self.blueprint,
            "g": self.generation,
            "d": self.device,
            "i": self.enrollment,
            "n": self.nonce,
            "e": self.expires,
            "s": self.simulated,
        }
        return fields | {"u": self.serial, "m": self.machine} if self.purpose == Purpose.AUTOMATIC else fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Ticket":
        return cls(
            tenant=fields["t"],
            purpose=Purpose(fields["p"]),
            blueprint=fields["b"],
            generation=fields["g"],
            device=fields["d"],
            enrollment=fields["i"],
            nonce=fields["n"],
            expires=fields["e"],
            simulated=fields["s"],
            serial=fields.get("u", ""),
            machine=fields.get("m", ""),
        )


def issue(owner: Blueprint | BlueprintRouting, *, simulated: bool = False) -> str:
    """A ticket for every device that enrolls under the owner's code, until that code is changed or deactivated."""
    return _sign(
        Ticket(
            tenant=owner.tenant_id,
            purpose=Purpose.MANUAL,
            blueprint=owner.pk if isinstance(owner, Blueprint) else None,
            generation=owner.code_generation,
            nonce=secrets.token_urlsafe(12),
            expires=_after(MANUAL),
            simulated=simulated,
        )
    )


def issue_automatic(device: AdeDevice, *, machine: str, simulated: bool = False) -> str:
    """A ticket for a device that Apple has assigned, which has said `machine` of itself."""
    blueprint = device.live_blueprint
    return _sign(
        Ticket(
            tenant=device.tenant_id,
            purpose=Purpose.AUTOMATIC,
            blueprint=blueprint.pk if blueprint else None,
            nonce=secrets.token_urlsafe(12),
            expires=_after(AUTOMATIC),
            simulated=simulated,
            serial=device.serial_number,
            machine=machine,
        )
    )


def issue_return(blueprint: Blueprint, *, simulated: bool = False) -> str:
    """A ticket for a device that erases itself and comes back at once, whatever becomes of the enrollment code."""
    return _sign(
        Ticket(
            tenant=blueprint.tenant_id,
            purpose=Purpose.RETURN,
            blueprint=blueprint.pk,
            nonce=secrets.token_urlsafe(12),
            expires=_after(RETURN),
            simulated=simulated,
        )
    )


def issue_renewal(*, tenant_id: int, device_id: int, enrollment_id: int, simulated: bool = False) -> str:
    """A ticket with which an enrolled device gets a new certificate, once."""
    return _sign(
        Ticket(
            tenant=tenant_id,
            purpose=Purpose.RENEWAL,
            device=device_id,
            enrollment=enrollment_id,
            nonce=secrets.token_urlsafe(12),
            expires=_after(RENEWAL),
            simulated=simulated,
        )
    )


def read(text: str, *, tenant: Tenant) -> Ticket:
    """The ticket in a text that was issued for this tenant. Raises TicketRefused, also for an expired one."""
    version, _, rest = text.partition(".")
    body, _, signature = rest.partition(".")
    if version != VERSION or len(text) > LONGEST:
        raise TicketRefused("It is no ticket.")
    try:
        given = _decode(signature)
    except (binascii.Error, ValueError):
        raise TicketRefused("It is no ticket.") from None
    if not any(hmac.compare_digest(given, _mac(key, body)) for _, key in _keys()):
        raise TicketRefused("Its signature is wrong.")
    ticket = Ticket.from_json(orjson.loads(_decode(body)))
    if ticket.tenant != tenant.pk:
        raise TicketRefused("It belongs to another tenant.")
    if ticket.expires <= timezone.now().timestamp():
        raise TicketRefused("It has expired.")
    return ticket


def check_alive(ticket: Ticket, *, tenant: Tenant) -> None:
    """Raise TicketRefused if what the ticket was issued for is over: its code was changed, or its device has left."""
    if ticket.purpose == Purpose.RENEWAL:
        known = tenant.enrollments.filter(pk=ticket.enrollment or 0, device=ticket.device, state="enrolled")
        if not known.exists():
            raise TicketRefused("The device that it renews is not enrolled.")
        return
    if ticket.purpose == Purpose.AUTOMATIC:
        if not tenant.ade_devices.with_serial(ticket.serial).exists():
            raise TicketRefused("Apple does not assign its device to the tenant any more.")
        return
    if ticket.purpose == Purpose.RETURN:
        if not tenant.blueprints.filter(pk=ticket.blueprint or 0).exists():
            raise TicketRefused("Its Blueprint was deleted.")
        return
    owners = (
        BlueprintRouting.objects.filter(tenant=tenant)
        if ticket.blueprint is None
        else tenant.blueprints.filter(pk=ticket.blueprint or 0)
    )
    if not owners.filter(enrollment_code_active=True, code_generation=ticket.generation).exists():
        raise TicketRefused("Its enrollment code was changed or deactivated.")


def use(ticket: Ticket, *, tenant: Tenant) -> None:
    """Note that a ticket for one use was used, in the caller's transaction. Raises TicketRefused if it was before."""
    if ticket.purpose == Purpose.MANUAL:
        return
    expires = datetime.fromtimestamp(ticket.expires, tz=timezone.get_default_timezone())
    _, fresh = UsedTicket.objects.get_or_create(tenant=tenant, nonce=ticket.nonce, defaults={"expires_at": expires})
    if not fresh:
        raise TicketRefused("It was used before.")


def _after(lifetime: timedelta) -> int:
    return int((timezone.now() + lifetime).timestamp())


def _sign(ticket: Ticket) -> str:
    body = _encode(orjson.dumps(ticket.as_json()))
    return f"{VERSION}.{body}.{_encode(_mac(_keys()[0][1], body))}"


def _keys() -> list[tuple[int, bytes]]:
    return derived_keyring("IRU_SECRET_KEYS", "mdm-ticket")


def _mac(key: bytes, body: str) -> bytes:
    return hmac.digest(key, f"{VERSION}.{body}".encode(), "sha256")


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
