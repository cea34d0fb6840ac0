import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

ROOT = Path(__file__).parents[2]


def test_env_example_lists_exactly_the_settings() -> None:
    source = "".join((ROOT / "iru" / name).read_text() for name in ("settings.py", "environment.py"))
    read = set(re.findall(r'\benv(?:iron)?\.\w+\(\s*"(\w+)"', source))
    listed = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert len(read) > 15  # the expression above still finds them
    assert sorted(listed) == sorted(read)


def test_every_setting_of_the_example_has_its_reason() -> None:
    for paragraph in (ROOT / ".env.example").read_text().split("\n\n")[1:]:
        lines = paragraph.strip().splitlines()
        if re.match(r"(# )?[A-Z_]+=", lines[-1]):
            assert len(lines) > 1, lines[-1]
            assert lines[0].startswith("# ")


def over_https(script: str) -> Any:
    """The JSON that a script prints, run with the settings of an installation over https."""
    run = subprocess.run(
        [sys.executable, "-c", f"import django, json; django.setup(); {script}"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "iru.settings", "IRU_SCHEME": "https"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def test_over_https_cookies_are_bound_to_host_and_scheme() -> None:
    names = ["SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE"]
    names += ["CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY", "SECURE_SSL_REDIRECT"]
    values = over_https(f"from django.conf import settings; print(json.dumps([getattr(settings, n) for n in {names}]))")
    assert values == ["__Host-session", True, True, "Lax", "__Host-csrf", True, True, True]


def test_no_host_is_allowed_that_is_not_named() -> None:
    names = ["ALLOWED_HOSTS", "IRU_WEB_HOSTS", "IRU_BARE_API_HOSTS", "IRU_DOMAIN"]
    shown = f"from django.conf import settings; print(json.dumps([getattr(settings, n) for n in {names}]))"
    allowed, web, bare, domain = over_https(shown)
    # The names of the tenants, for calls and for devices, are below the last two.
    assert allowed == [*web, *bare, f".api.{domain}", f".mdm.{domain}"]
    assert not [host for host in (*web, *bare) if host.startswith((".", "*"))]


def test_over_https_every_answer_forbids_plain_http_for_a_year() -> None:
    asked = [("testserver", "/nope/"), ("evil.test", "/"), ("testserver", "/api/v9/nope"), ("x.evil.test", "/api/v1/")]
    name = "Strict-Transport-Security"
    ask = f"Client().get(path, secure=True, headers={{'host': host}})[{name!r}]"
    values = over_https(f"from django.test import Client; print(json.dumps([{ask} for host, path in {asked}]))")
    assert values == [
        "max-age=31536000; includeSubDomains; preload",
        "max-age=31536000; includeSubDomains; preload",
        "max-age=31536000; includeSubDomains",
        "max-age=31536000; includeSubDomains",
    ]


def test_the_log_has_one_json_object_a_line() -> None:
    script = "import django, logging; django.setup(); logging.getLogger('access').warning('one\\ntwo')"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "iru.settings"}
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    (line,) = run.stderr.splitlines()
    assert json.loads(line)["message"] == "one\ntwo"


def test_passwords_are_hashed_at_owasps_lowest_cost_for_argon2id() -> None:
    encoded = over_https("from django.contrib.auth.hashers import make_password; print(json.dumps(make_password('x')))")
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
