"""The rows that need something: keys that they are under, and what expires."""

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from access.maintenance.doctor import Finding, error, note, ok, register, warning
from access.maintenance.expiries import SOON, expiring
from access.maintenance.keys import AUDIT_KEYS, SECRET_KEYS, SETTINGS, TOKEN_KEYS, counting, ring, uses
from access.maintenance.rotation import trails_under_older_keys

MOVES = {
    TOKEN_KEYS: "Each moves over when it is used; `manage.py keys` counts them.",
    SECRET_KEYS: "Run: uv run manage.py rewrap_secrets",
    AUDIT_KEYS: "They stay under it: keep the key.",
}
WITHOUT = {
    TOKEN_KEYS: "These tokens are refused. Add the key again, or revoke them.",
    SECRET_KEYS: "These secrets cannot be read. Add the key again.",
    AUDIT_KEYS: "`verify_audit` cannot verify these events. Add the key again.",
}


@register("keys")
def check_keys() -> Iterator[Finding]:
    with counting():
        found = uses()
    for setting in SETTINGS:
        try:
            numbers = [number for number, _ in ring(setting)]
        except ImproperlyConfigured as failure:
            yield error(str(failure), "See .env.example.")
            continue
        counts = found[setting]
        newest, older = numbers[0], numbers[1:]
        for number in sorted(set(counts) - set(numbers)):
            yield error(f"{setting} lacks key {number}, which {counts[number]} values are under.", WITHOUT[setting])
        for number in older:
            if count := counts[number]:
                yield note(f"{setting}: {count} values are still under key {number}.", MOVES[setting])
            else:
                yield note(f"{setting}: no value is under key {number} any more.", "It can be removed.")
        if setting == AUDIT_KEYS and (trails := len(trails_under_older_keys())):
            yield warning(
                f"{trails} audit trails end under an older key than {newest}.", "Run: uv run manage.py rotate_audit_key"
            )
        if set(counts) <= {newest}:
            yield ok(f"{setting}: all values are under key {newest}, the newest.")


@register("expiries")
def check_expiries() -> Iterator[Finding]:
    now = timezone.now()
    found = sorted((each for list_them in expiring for each in list_them(now + SOON)), key=lambda each: each.at)
    for each in found:
        day = f"{each.at:%Y-%m-%d}"
        if each.at <= now:
            yield error(f"{each.name} expired on {day}.", each.advice)
        else:
            yield warning(f"{each.name} expires on {day}.", each.advice)
    if not found:
        yield ok(f"No certificate and no server token expires within {SOON.days} days.")
