"""The second steps of a person: an authenticator app, passkeys, and recovery codes for when those are lost.

The rows and the ceremony of passkeys are allauth's; the secrets in the rows are encrypted here, bound to their person.
Every change is in the trail, in its transaction.
"""

import base64
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.labels import PRODUCT
from access.models import Administrator, AuditEvent
from access.sealing import newest_key, rewrap_rows, seal, unseal
from access.sign_in.second_step import is_required
from access.sign_in.sessions import end_sessions

Type = Authenticator.Type
SECOND_STEPS = (Type.TOTP, Type.WEBAUTHN)  # recovery codes stand in for one of these
PERIOD = 30  # seconds of one code of an app
DIGITS = 6
SECRET_BYTES = 20  # the length of an HMAC-SHA-1, as RFC 4226 recommends
RECOVERY_CODES = 10
ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # without letters and digits that look alike
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Authenticators:
    """What a person has set up. `codes` is the number of recovery codes that are left."""

    app: Authenticator | None
    passkeys: list[Authenticator]
    codes: int

    def __bool__(self) -> bool:
        return bool(self.app or self.passkeys)

    @property
    def removable(self) -> list[Authenticator]:
        return [*([self.app] if self.app else []), *self.passkeys]


def authenticators_of(person: Administrator) -> Authenticators:
    rows = list(Authenticator.objects.filter(user=person).order_by("created_at", "pk"))
    found = {type_: [row for row in rows if row.type == type_] for type_ in Type}
    codes = sum(len(orjson.loads(_opened(row))) for row in found[Type.RECOVERY_CODES])
    return Authenticators(next(iter(found[Type.TOTP]), None), found[Type.WEBAUTHN], codes)


def has_second_step(person: Administrator) -> bool:
    return bool(Authenticator.objects.filter(user=person, type__in=SECOND_STEPS).exists())


def new_app_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def app_uri(person: Administrator, secret: bytes) -> str:
    """What the picture for an authenticator app says."""
    return _totp(secret).get_provisioning_uri(person.email, PRODUCT)


def check_app_code(secret: bytes, code: str) -> bool:
    """Whether this is a code of an app that is being set up."""
    return _period_of(secret, compact(code)) is not None


@transaction.atomic
def add_app(*, person: Administrator, secret: bytes, actor: Actor) -> list[str]:
    """Let the person sign in with codes of an app that has this secret, in place of the app they had.

    Returns recovery codes, to be shown once, if these are the first ones of the person.
    """
    _lock(person)
    Authenticator.objects.filter(user=person, type=Type.TOTP).delete()
    row = Authenticator(user=person, type=Type.TOTP)
    row.data = _closed(row, base64.b32encode(secret).decode())
    row.save()
    codes = _first_codes(person)
    _log(person, actor, "Authenticator app added", AuditEvent.Action.CREATE)
    return codes


@transaction.atomic
def add_passkey(*, person: Administrator, name: str, credential: dict[str, Any], actor: Actor) -> list[str]:
    """Let the person sign in with a passkey, whose credential allauth's form has checked.

    Returns recovery codes like `add_app`.
    """
    _lock(person)
    WebAuthn.add(person, name, credential)
    codes = _first_codes(person)
    _log(person, actor, "Passkey added", AuditEvent.Action.CREATE, {"name": name})
    return codes


@transaction.atomic
def remove_own(*, person: Administrator, ids: Iterable[int], actor: Actor) -> None:
    """Remove authenticators of the person who asks; with the last second step the recovery codes go too.

    Raises ValidationError if the last one is required, or the password is too short to be enough alone.
    """
    person = _lock(person)
    if not _remove(person, ids, actor):
        return
    if is_required(person):
        raise ValidationError("Two-step verification is required here. Add another authenticator first.")
    if person.short_password:
        raise ValidationError(
            "Your password is short, which is enough only together with a second step. Choose a longer one first."
        )


@transaction.atomic
def take_away(*, person: Administrator, ids: Iterable[int] | None = None, actor: Actor) -> None:
    """Remove these authenticators of a person who lost them, or all of them, and end the person's sessions.

    A password that is too short to be enough alone goes too: the person gets a new one by a reset link.
    """
    person = _lock(person)
    if ids is None:
        ids = [row.pk for row in authenticators_of(person).removable]
    if _remove(person, ids, actor) and person.short_password:
        person.set_unusable_password()
        person.save(update_fields=["password", "updated_at"])
        _log(person, actor, "Password removed, too short without a second step", AuditEvent.Action.UPDATE)
    end_sessions(person)


@transaction.atomic
def replace_recovery_codes(*, person: Administrator, actor: Actor) -> list[str]:
    """New recovery codes, to be shown once. The ones before stop working.

    Raises ValidationError for a person without a second step.
    """
    _lock(person)
    if not has_second_step(person):
        raise ValidationError("Set up an authenticator app or a passkey first.")
    Authenticator.objects.filter(user=person, type=Type.RECOVERY_CODES).delete()
    codes = _first_codes(person)
    _log(person, actor, "Recovery codes replaced", AuditEvent.Action.UPDATE)
    return codes


@transaction.atomic
def use_code(*, person: Administrator, code: str, address: str) -> Authenticator | None:
    """The authenticator whose code this is; it cannot be used again. A recovery code is removed, and in the trail."""
    code = compact(code)
    if is_app_code(code):
        row = Authenticator.objects.select_for_update().filter(user=person, type=Type.TOTP).first()
        return row if row and _use_app_code(row, code) else None
    row = Authenticator.objects.select_for_update().filter(user=person, type=Type.RECOVERY_CODES).first()
    return row if row and _use_recovery_code(row, code, address) else None


def is_app_code(text: str) -> bool:
    """Whether the text has the form of a code of an app. No password has: it would be too short."""
    code = compact(text)
    return len(code) == DIGITS and code.isascii() and code.isdigit()


def compact(code: str) -> str:
    """The code as it is compared: people type it in groups, and in small letters."""
    return re.sub(r"[\s-]", "", code).upper()


def label_of(row: Authenticator) -> str:
    return {Type.TOTP: "Authenticator app", Type.WEBAUTHN: "Passkey"}.get(Type(row.type), "Recovery codes")


def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` secrets that use an older key: see `rewrap_rows`."""
    stale = Authenticator.objects.exclude(type=Type.WEBAUTHN).exclude(data__key=newest_key())
    return rewrap_rows(stale, _reseal, limit=limit, fields=["data"])


def _reseal(row: Authenticator) -> None:
    row.data = {**row.data, **_closed(row, _opened(row))}


def _remove(person: Administrator, ids: Iterable[int], actor: Actor) -> bool:
    """Remove the authenticators. Whether the last second step was among them."""
    rows = list(Authenticator.objects.filter(user=person, type__in=SECOND_STEPS, pk__in=list(ids)))
    for row in rows:
        row.delete()
        _log(person, actor, f"{label_of(row)} removed", AuditEvent.Action.DELETE, _named(row))
    if not rows or has_second_step(person):
        return False
    Authenticator.objects.filter(user=person).delete()
    return True


def _use_app_code(row: Authenticator, code: str) -> bool:
    period = _period_of(base64.b32decode(_opened(row)), code)
    # A code that was seen by somebody else, or that was sent twice, is of a period that has been used.
    if period is None or period <= row.data.get("period", 0):
        return False
    row.data = {**row.data, "period": period}
    row.last_used_at = timezone.now()
    row.save(update_fields=["data", "last_used_at"])
    return True


def _use_recovery_code(row: Authenticator, code: str, address: str) -> bool:
    codes = orjson.loads(_opened(row))
    left = [each for each in codes if not secrets.compare_digest(compact(each).encode(), code.encode())]
    if len(left) == len(codes):
        return False
    row.data = _closed(row, orjson.dumps(left).decode())
    row.last_used_at = timezone.now()
    row.save(update_fields=["data", "last_used_at"])
    person = row.user
    _log(person, Actor.of(person, address), "Recovery code used", AuditEvent.Action.UPDATE, {"left": len(left)})
    return True


def _period_of(secret: bytes, code: str) -> int | None:
    """The period of this code: the present one, or the one before or after it, because clocks differ."""
    present = int(time.time()) // PERIOD
    for period in (present, present - 1, present + 1):
        if secrets.compare_digest(_totp(secret).generate(period * PERIOD), code.encode()):
            return period
    return None


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), PERIOD)  # noqa: S303 - what every authenticator app does


def _first_codes(person: Administrator) -> list[str]:
    if Authenticator.objects.filter(user=person, type=Type.RECOVERY_CODES).exists():
        return []
    half = [["".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(2)] for _ in range(RECOVERY_CODES)]
    codes = ["-".join(parts) for parts in half]
    row = Authenticator(user=person, type=Type.RECOVERY_CODES)
    row.data = _closed(row, orjson.dumps(codes).decode())
    row.save()
    return codes


def _lock(person: Administrator) -> Administrator:
    """The person, locked until the end of the transaction, so that two changes at once wait for each other."""
    return Administrator.objects.select_for_update(no_key=True).get(pk=person.pk)


def _closed(row: Authenticator, text: str) -> dict[str, Any]:
    number, sealed = seal(text.encode(), *_place(row))
    return {"key": number, "sealed": base64.b64encode(sealed).decode()}


def _opened(row: Authenticator) -> str:
    return unseal(row.data["key"], base64.b64decode(row.data["sealed"]), *_place(row)).decode()


def _place(row: Authenticator) -> tuple[object, ...]:
    return ("mfa_authenticator", "data", row.user_id, row.type)


def _named(row: Authenticator) -> dict[str, Any] | None:
    return {"name": row.data["name"]} if row.type == Type.WEBAUTHN else None


def _log(
    person: Administrator,
    actor: Actor,
    summary: str,
    action: AuditEvent.Action,
    metadata: dict[str, Any] | None = None,
) -> None:
    if actor.address:
        metadata = {**(metadata or {}), "address": actor.address}
    log_event(
        target=Target(person.tenant, "user", person.id, person.name, "authenticators"),
        actor=actor,
        action=action,
        summary=summary,
        metadata=metadata,
    )
