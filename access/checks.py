"""System checks of Django: mistakes of an installation that no request should have to find."""

import stat
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks

NO_PROXY = (
    "IRU_SCHEME is https and IRU_TRUSTED_PROXIES is empty: behind a proxy that ends TLS, each page redirects to itself "
    "and each call to the API is answered 403."
)
NAME_IT = "Set IRU_TRUSTED_PROXIES to the address of the proxy, or give `serve` a --certificate and --key of its own."


@checks.register(checks.Tags.security, deploy=True)
def check_proxies(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of https without a proxy to end it. Only `serve` knows whether it ends TLS itself."""
    return [checks.Warning(NO_PROXY, hint=NAME_IT, id="access.W001")] if lacks_proxy() else []


@checks.register(checks.Tags.security, deploy=True)
def check_settings_file(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of a file of keys that other users of the machine can read."""
    path = settings.ENV_FILE
    if not path.is_file() or not path.stat().st_mode & stat.S_IRWXO:
        return []
    hint = f"Run: chmod 600 {path}"
    return [checks.Warning(f"Every user of this machine can read the keys in {path}.", hint=hint, id="access.W002")]


def lacks_proxy() -> bool:
    """Whether nothing can tell this server that a request came over https, unless it ends TLS itself."""
    return settings.HTTPS and not settings.IRU_TRUSTED_PROXIES
