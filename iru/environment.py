"""The file of settings that a fresh machine does not have yet."""

import os
import secrets
import sys
import tomllib
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def version() -> str:
    """The version of the product, from pyproject.toml; "0" in a copy without that file."""
    path = BASE_DIR / "pyproject.toml"
    return str(tomllib.loads(path.read_text())["project"]["version"]) if path.exists() else "0"


def env_file() -> Path:
    """Where settings are read from: `IRU_ENV_FILE`, or `.env` beside manage.py."""
    return Path(os.environ.get("IRU_ENV_FILE") or BASE_DIR / ".env")


def advice() -> str:
    """What to do about a setting that is not there."""
    path = env_file()
    if not path.exists():
        return "Run `uv run manage.py quickstart` for a local start, or copy .env.example to .env."
    if not os.access(path, os.R_OK):
        return f"This user may not read the settings file {path}."
    return f"Set it in {path}: .env.example has the line that makes one."


def days(texts: dict[str, str], least: int = 1) -> dict[str, int]:
    """The number of days in each setting; 0 for an empty one. Raises ImproperlyConfigured, also below `least`."""
    found = {}
    for name, text in texts.items():
        if text.strip() and not (text.strip().isascii() and text.strip().isdigit()):
            raise ImproperlyConfigured(f"{name} is a number of days, or 0 to keep everything.")
        found[name] = int(text.strip() or 0)
        if 0 < found[name] < least:
            raise ImproperlyConfigured(f"{name} is at least {least} days, or 0 to keep everything.")
    return found


def create_missing() -> None:
    """Write a settings file for this machine, readable by its owner only, unless one is there.

    Every secret in it is random. Exits with one line when the file cannot be written.
    """
    path = env_file()
    lines = (
        "# Made by `manage.py quickstart` for this machine alone. .env.example explains each line.",
        f"SECRET_KEY={secrets.token_urlsafe(48)}",
        f"IRU_TOKEN_KEYS=1:{secrets.token_hex(32)}",
        f"IRU_SECRET_KEYS=1:{secrets.token_hex(32)}",
        f"IRU_AUDIT_KEY={secrets.token_hex(32)}",
        "IRU_DOMAIN=localhost",
        "IRU_SCHEME=http",
        "IRU_WEB_HOSTS=localhost,127.0.0.1,[::1]",
        "IRU_BARE_API_HOSTS=localhost,127.0.0.1,[::1]",
        "EMAIL_URL=consolemail://",
    )
    try:
        # O_EXCL: of two first starts at the same moment one writes the keys, and the other reads them.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        sys.exit(f"quickstart: cannot write the settings file {path}: {error.strerror}")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
