"""The version, and the settings: all that `check --deploy` finds."""

import platform
from collections.abc import Iterator

from django import get_version
from django.conf import settings
from django.core import checks

from access.maintenance.doctor import Finding, error, ok, register, warning

# Django's warnings that follow from one setting of ours.
ABOUT_HTTPS = {"security.W004", "security.W008", "security.W011", "security.W012", "security.W016"}


@register("version")
def check_version() -> Iterator[Finding]:
    yield ok(f"{settings.VERSION}, with Python {platform.python_version()} and Django {get_version()}.")


@register("settings")
def check_settings() -> Iterator[Finding]:
    found = [each for each in checks.run_checks(include_deployment_checks=True) if not each.is_silenced()]
    if not settings.HTTPS:
        found = [each for each in found if each.id not in ABOUT_HTTPS]
        yield warning("IRU_SCHEME is http: passwords and tokens are sent in clear.", "Set it to https, behind a proxy.")
    for message in found:
        text = f"{' '.join(str(message.msg).split()).removesuffix('.')} ({message.id})."
        advice = " ".join(str(message.hint or "See `manage.py check --deploy`.").split())
        if message.level >= checks.ERROR:
            yield error(text, advice)
        elif message.level >= checks.WARNING:
            yield warning(text, advice)
    if settings.DEBUG:
        yield error("DEBUG is on: each visitor sees tracebacks.", "Remove DEBUG from the settings.")
    elif not found and settings.HTTPS:
        yield ok("`check --deploy` finds nothing.")
